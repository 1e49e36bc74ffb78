// Runs the steps of action.yml as a runner would: node .ci/action.mjs BINARY EXPRESSIONS YAML [WHEEL]
//
// GitHub's own expression evaluator decides conditions and fills inputs, bash runs the shells with the files and variables that
// a runner gives them. A step with `uses` is not run; whether it would have been is looked at.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [binary, expressions, yaml, wheel] = process.argv.slice(2);
const load = directory => {
  const entry = JSON.parse(readFileSync(join(directory, 'package.json'))).exports;
  const main = typeof entry === 'string' ? entry : entry['.']?.import ?? entry['.']?.default ?? entry['.'];
  return import(pathToFileURL(join(directory, typeof main === 'string' ? main : main.default)));
};
const { Lexer, Parser, Evaluator, data } = await load(expressions);
const { parse } = createRequire(import.meta.url)(yaml);
const root = resolve(dirname(process.argv[1]), '..');
const action = parse(readFileSync(join(root, 'action.yml'), 'utf8'));

const dictionary = object => {
  const pairs = Object.entries(object).map(([key, value]) =>
    ({ key, value: typeof value === 'string' ? new data.StringData(value) : dictionary(value) }));
  return new data.Dictionary(...pairs);
};

// The value of one expression.
function evaluate(text, context, workspace) {
  const hashFiles = {
    name: 'hashFiles', description: '', minArgs: 1, maxArgs: 255,
    call: (...names) => new data.StringData(names.some(name => existsSync(resolve(workspace, name.coerceString()))) ? 'hash' : ''),
  };
  const functions = new Map([['hashfiles', hashFiles]]);
  const { tokens } = new Lexer(text).lex();
  const tree = new Parser(tokens, Object.keys(context), [hashFiles]).parse();
  return new Evaluator(tree, dictionary(context), functions).evaluate();
}
const fill = (text, context, workspace) =>
  String(text).replace(/\$\{\{(.*?)\}\}/gs, (_, inner) => evaluate(inner.trim(), context, workspace).coerceString());
const truthy = value => !['', 'false', '0'].includes(value.coerceString());

// Runs the action; gives what it says, its outputs, and which steps ran.
function run(given, workspace, environment = {}) {
  const inputs = Object.fromEntries(Object.entries(action.inputs).map(([key, { default: value }]) => [key, given[key] ?? value]));
  const temp = mkdtempSync(join(tmpdir(), 'action-'));
  const summary = join(temp, 'summary');
  writeFileSync(summary, '');
  const context = { inputs, steps: {} };
  let [out, failed, ran] = ['', 0, []];
  for (const [index, step] of action.runs.steps.entries()) {
    const wanted = step.if === undefined || truthy(evaluate(step.if.replace(/^\$\{\{|\}\}$/g, '').trim(), context, workspace));
    // After a failure the others do not run: none has `always()`.
    if (!wanted || failed) continue;
    ran.push(step.name);
    if (step.uses) continue;
    const output = join(temp, `output-${index}`);
    const script = join(temp, `step-${index}.sh`);
    writeFileSync(output, '');
    writeFileSync(script, fill(step.run, context, workspace));
    const env = Object.fromEntries(Object.entries(step.env ?? {}).map(([key, value]) => [key, fill(value, context, workspace)]));
    const done = spawnSync('bash', ['--noprofile', '--norc', '-e', '-o', 'pipefail', script], {
      cwd: workspace, encoding: 'utf8', maxBuffer: 1 << 28,
      env: {
        PATH: `${dirname(resolve(binary))}${delimiter}${process.env.PATH}`, HOME: temp, CI: 'true', GITHUB_ACTIONS: 'true',
        GITHUB_WORKSPACE: workspace, GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: summary, RUNNER_TEMP: temp,
        ...environment, ...env,
      },
    });
    out += done.stdout + done.stderr;
    const lines = readFileSync(output, 'utf8').split('\n').filter(Boolean).map(line => line.split(/=(.*)/s));
    if (step.id) context.steps[step.id] = { outputs: Object.fromEntries(lines) };
    if (done.status) failed = done.status;
  }
  const outputs = Object.fromEntries(Object.entries(action.outputs).map(([key, { value }]) => [key, fill(value, { ...context, steps: { check: { outputs: {} }, ...context.steps } }, workspace)]));
  const text = readFileSync(summary, 'utf8');
  rmSync(temp, { recursive: true });
  return { out, outputs, failed, ran, summary: text };
}

const work = mkdtempSync(join(tmpdir(), 'workspace-'));
execFileSync('git', ['init', '--quiet'], { cwd: work });
cpSync(join(root, 'fixtures/good'), join(work, 'good'), { recursive: true });
cpSync(join(root, 'fixtures/bad'), join(work, 'bad recipes'), { recursive: true });
mkdirSync(join(work, 'nothing'));
mkdirSync(join(work, 'broken'));
writeFileSync(join(work, 'broken/latin1.yaml'), Buffer.from('kind: Service\nname: caf\xe9\n', 'latin1'));

let wrong = 0;
function expect(name, result, checks) {
  for (const [what, holds] of Object.entries(checks)) {
    if (holds) continue;
    wrong += 1;
    console.log(`${name}: ${what}\n${JSON.stringify({ ...result, out: undefined, summary: undefined })}\n${result.out.slice(0, 2000)}`);
  }
}
const annotations = result => result.out.match(/^::(error|warning|notice) file=/gm)?.length ?? 0;
const log = name => JSON.parse(readFileSync(join(work, name), 'utf8'));
const here = { version: 'none' };

let result = run({ ...here, paths: 'good' }, work);
expect('sound recipes', result, {
  'the step passes': result.failed === 0, 'the result is `clean`': result.outputs.result === 'clean',
  'no annotation but advice': !/^::(error|warning)/m.test(result.out), 'the log is uploaded': result.ran.includes('Upload to code scanning'),
  'nothing is installed': !result.ran.includes('Install dynlint'), 'the summary says so': result.summary.length > 0,
});
result = run({ ...here, paths: 'good\n\nbad recipes\n' }, work);
const found = annotations(result);
expect('mistakes', result, {
  'the step fails with 1': result.failed === 1, 'the result is `findings`': result.outputs.result === 'findings',
  'the exit code is 1': result.outputs['exit-code'] === '1', 'annotations': found > 5,
  'paths as in the checkout': /^::error file=bad recipes\//m.test(result.out),
  'the log is uploaded': result.ran.includes('Upload to code scanning'),
  'the log holds them': log('dynlint.sarif').runs[0].results.length >= found,
  'the summary holds them': result.summary.includes('bad recipes/'),
});
result = run({ ...here, paths: 'bad recipes', 'fail-on-findings': 'false', 'upload-sarif': 'false', 'sarif-file': 'other.sarif' }, work);
expect('mistakes that may be', result, {
  'the step passes': result.failed === 0, 'the result is `findings`': result.outputs.result === 'findings',
  'nothing is uploaded': !result.ran.includes('Upload to code scanning'), 'the log is where it was wanted': log('other.sarif').runs.length === 1,
  'annotations': annotations(result) > 5,
});
result = run({ ...here, paths: 'broken', 'fail-on-findings': 'false' }, work);
expect('input that cannot be read', result, {
  'the step fails with 4': result.failed === 4, 'the result is `failed`': result.outputs.result === 'failed',
  'it is said that these are no findings': /^::error title=dynlint::.*not findings/m.test(result.out),
});
result = run({ ...here, args: '--no-such-option', 'fail-on-findings': 'false' }, work);
expect('an option that is none', result, { 'the step fails with 2': result.failed === 2, 'the result is `failed`': result.outputs.result === 'failed' });
result = run({ ...here, paths: 'nothing' }, work);
expect('nothing to lint', result, {
  'the step passes': result.failed === 0, 'the result is `nothing`': result.outputs.result === 'nothing', 'a notice': /^::notice title=dynlint::nothing/m.test(result.out),
});
execFileSync(binary, ['baseline', 'write', 'bad recipes'], { cwd: work, stdio: 'ignore' });
result = run({ ...here, paths: 'bad recipes', args: '--baseline=dynlint-baseline.json\n' }, work);
expect('a baseline', result, { 'the step passes': result.failed === 0, 'the result is `clean`': result.outputs.result === 'clean', 'no annotation': annotations(result) === 0 });
const evil = '$(touch pwned)`touch pwned`"; touch pwned; "';
result = run({ ...here, paths: evil, args: `--min-severity=${evil}`, 'sarif-file': 'a b.sarif' }, work);
expect('inputs are never run', result, { 'nothing is made': !existsSync(join(work, 'pwned')), 'the step fails': result.failed !== 0 });
if (wheel) {
  const offline = { PIP_NO_INDEX: '1', PIP_FIND_LINKS: dirname(resolve(wheel)) };
  for (const version of ['', wheel.match(/dynlint-([^-]+)-/)[1]]) {
    result = run({ version, paths: 'bad recipes' }, work, offline);
    expect(`installed, version '${version}'`, result, { 'it is installed': result.ran.includes('Install dynlint'), 'the result is `findings`': result.outputs.result === 'findings' });
  }
  result = run({ version: '0.0.1' }, work, offline);
  expect('a version that is none', result, { 'the step fails': result.failed !== 0, 'no result': result.outputs.result === '' });
}
rmSync(work, { recursive: true });
console.log(`action.yml: ${wrong} wrong`);
process.exit(wrong ? 1 : 0);
