"""The language server as a client library that knows nothing about it sees it (pytest-lsp on pygls)."""

import asyncio
import os
import pathlib

import pytest
import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities, make_test_lsp_client

RECIPE = (pathlib.Path(__file__).parent / "recipe.yaml").read_text(encoding="utf-8")


def make_client() -> LanguageClient:
    client = make_test_lsp_client()

    @client.feature(types.CLIENT_REGISTER_CAPABILITY)
    def registered(client: LanguageClient, params: types.RegistrationParams):
        client.registered = [registration.method for registration in params.registrations]

    return client


SERVER = ClientServerConfig(client_factory=make_client, server_command=[os.environ["DYNLINT"], "lsp"])


def offset(client: LanguageClient, text: str, at: types.Position) -> int:
    """Index of a position, in the encoding that was agreed."""
    codec, width = {"utf-8": ("utf-8", 1), "utf-32": ("utf-32-le", 4)}.get(
        client.result.capabilities.position_encoding, ("utf-16-le", 2)
    )
    lines = text.split("\n")
    line = lines[at.line].encode(codec)[: at.character * width].decode(codec)
    return sum(len(before) + 1 for before in lines[: at.line]) + len(line)


def covered(client: LanguageClient, text: str, span: types.Range) -> str:
    return text[offset(client, text, span.start) : offset(client, text, span.end)]


def applied(client: LanguageClient, text: str, edits: list) -> str:
    for edit in sorted(edits, key=lambda e: offset(client, text, e.range.start), reverse=True):
        start, end = offset(client, text, edit.range.start), offset(client, text, edit.range.end)
        text = text[:start] + edit.new_text + text[end:]
    return text


@pytest_lsp.fixture(config=SERVER, params=["neovim", "visual-studio-code"])
async def client(request, lsp_client: LanguageClient, tmp_path_factory):
    lsp_client.directory = tmp_path_factory.mktemp("recipes")
    params = types.InitializeParams(
        capabilities=client_capabilities(request.param),
        root_uri=lsp_client.directory.as_uri(),
    )
    lsp_client.result = await lsp_client.initialize_session(params)
    yield
    await lsp_client.shutdown_session()


def opened(client: LanguageClient, text: str) -> str:
    path = client.directory / "deploy.yaml"
    path.write_text(text, encoding="utf-8")
    item = types.TextDocumentItem(uri=path.as_uri(), language_id="yaml", version=1, text=text)
    client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=item))
    return path.as_uri()


async def diagnostics(client: LanguageClient, uri: str) -> dict:
    """By rule, pulled where the server offers that, else as pushed."""
    if client.result.capabilities.diagnostic_provider:
        document = types.TextDocumentIdentifier(uri=uri)
        report = await client.text_document_diagnostic_async(types.DocumentDiagnosticParams(text_document=document))
        items = report.items
    else:
        await asyncio.wait_for(client.wait_for_notification("textDocument/publishDiagnostics"), 20)
        items = client.diagnostics[uri]
    return {item.code: item for item in items}


@pytest.mark.asyncio
async def test_diagnostics_stand_on_the_right_columns(client: LanguageClient):
    uri = opened(client, RECIPE)
    found = await diagnostics(client, uri)
    assert covered(client, RECIPE, found["unknown-router-mode"].range) == "kv-aware"
    assert covered(client, RECIPE, found["unknown-transport-variable"].range) == "NCCL_DEBGU"
    assert found["unknown-router-mode"].source == "dynlint"
    assert found["unknown-router-mode"].code_description.href.endswith("unknown-router-mode.md")


@pytest.mark.asyncio
async def test_an_incremental_change_is_seen(client: LanguageClient):
    uri = opened(client, RECIPE)
    found = await diagnostics(client, uri)
    span = found["unknown-router-mode"].range
    change = types.TextDocumentContentChangePartial(range=span, text="round-robin")
    document = types.VersionedTextDocumentIdentifier(uri=uri, version=2)
    client.text_document_did_change(
        types.DidChangeTextDocumentParams(text_document=document, content_changes=[change])
    )
    assert "unknown-router-mode" not in await diagnostics(client, uri)


@pytest.mark.asyncio
async def test_a_fix_makes_the_bytes_it_should(client: LanguageClient):
    uri = opened(client, RECIPE)
    finding = (await diagnostics(client, uri))["unknown-transport-variable"]
    document = types.TextDocumentIdentifier(uri=uri)
    actions = await client.text_document_code_action_async(
        types.CodeActionParams(
            text_document=document,
            range=finding.range,
            context=types.CodeActionContext(diagnostics=[finding], only=[types.CodeActionKind.QuickFix]),
        )
    )
    fix = next(action for action in actions if action.title.startswith("replace"))
    if fix.edit.document_changes:
        assert fix.edit.document_changes[0].text_document.version == 1
        edits = fix.edit.document_changes[0].edits
    else:
        edits = fix.edit.changes[uri]
    assert applied(client, RECIPE, edits) == RECIPE.replace("NCCL_DEBGU", "NCCL_DEBUG")


@pytest.mark.asyncio
async def test_hover_completion_symbols_and_the_effective_configuration(client: LanguageClient):
    uri = opened(client, RECIPE)
    found = await diagnostics(client, uri)
    document = types.TextDocumentIdentifier(uri=uri)
    at = found["unknown-router-mode"].range.start
    hover = await client.text_document_hover_async(types.HoverParams(text_document=document, position=at))
    assert "DYN_ROUTER_MODE" in hover.contents.value and "`kv`" in hover.contents.value
    completion = await client.text_document_completion_async(
        types.CompletionParams(text_document=document, position=at)
    )
    items = completion if isinstance(completion, list) else completion.items
    assert {"kv", "round-robin"} <= {item.label for item in items}
    symbols = await client.text_document_document_symbol_async(types.DocumentSymbolParams(text_document=document))
    assert [symbol.name for symbol in symbols] == ["llama"]
    lenses = await client.text_document_code_lens_async(types.CodeLensParams(text_document=document))
    command = lenses[0].command
    shown = await client.workspace_execute_command_async(
        types.ExecuteCommandParams(command=command.command, arguments=command.arguments)
    )
    assert "DYN_ROUTER_MODE = kv-aware" in shown


@pytest.mark.asyncio
async def test_nothing_that_a_yaml_server_does(client: LanguageClient):
    capabilities = client.result.capabilities
    assert capabilities.document_formatting_provider is None
    assert capabilities.document_range_formatting_provider is None
    assert capabilities.document_on_type_formatting_provider is None
