// Starts `dynlint lsp` and shows what it says. All knowledge is in the server.
'use strict';

const vscode = require('vscode');
const { LanguageClient, TransportKind } = require('vscode-languageclient/node');

/** The command behind the code lens; the server answers with a text. */
const RESOLVE = 'dynlint.resolve';

let client;

/** The settings as the server reads them. */
function settings() {
  const config = vscode.workspace.getConfiguration('dynlint');
  const beside = config.get('yamlLanguageServer');
  const installed = vscode.extensions.getExtension('redhat.vscode-yaml') !== undefined;
  // Without a schema of Dynamo's kinds it says nothing about their fields: then dynlint has to.
  const schemas = /dynamo|nvidia/i.test(JSON.stringify(vscode.workspace.getConfiguration('yaml').get('schemas') ?? {}));
  return {
    select: config.get('select'),
    ignore: config.get('ignore'),
    rules: config.get('rules'),
    minSeverity: config.get('minSeverity') || null,
    profile: config.get('profile'),
    dynamoVersion: config.get('dynamoVersion') || null,
    yamlLanguageServer: beside === 'on' || (beside === 'auto' && installed && (schemas ? true : 'syntax')),
    inlayHints: config.get('inlayHints'),
    codeLens: config.get('codeLens'),
  };
}

async function show(text) {
  const document = await vscode.workspace.openTextDocument({ content: text, language: 'plaintext' });
  await vscode.window.showTextDocument(document, { preview: true, viewColumn: vscode.ViewColumn.Beside });
}

async function start() {
  const command = vscode.workspace.getConfiguration('dynlint').get('path');
  client = new LanguageClient(
    'dynlint',
    'dynlint',
    { command, args: ['lsp'], transport: TransportKind.stdio },
    {
      documentSelector: [{ scheme: 'file', language: 'yaml' }],
      initializationOptions: settings(),
      middleware: {
        async executeCommand(name, args, next) {
          const answer = await next(name, args);
          if (name === RESOLVE && typeof answer === 'string') {
            await show(answer);
          }
          return answer;
        },
      },
    },
  );
  try {
    await client.start();
  } catch (error) {
    const answer = await vscode.window.showErrorMessage(
      `dynlint does not start (${command}): ${error.message ?? error}`,
      'Open settings',
    );
    if (answer) {
      await vscode.commands.executeCommand('workbench.action.openSettings', 'dynlint.path');
    }
  }
}

async function stop() {
  const old = client;
  client = undefined;
  if (old?.isRunning()) {
    await old.stop();
  }
}

async function restart() {
  await stop();
  await start();
}

async function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand('dynlint.restart', restart),
    vscode.workspace.onDidChangeConfiguration(async (event) => {
      if (!event.affectsConfiguration('dynlint')) {
        return;
      }
      const anew = ['path', 'inlayHints', 'codeLens'].some((key) => event.affectsConfiguration(`dynlint.${key}`));
      if (anew || !client?.isRunning()) {
        await restart();
      } else {
        await client.sendNotification('workspace/didChangeConfiguration', { settings: settings() });
      }
    }),
  );
  await start();
}

module.exports = { activate, deactivate: stop };
