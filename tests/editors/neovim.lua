-- A real Neovim on a recipe: diagnostics at the right columns behind wide characters, a hover, a quick fix, the bytes saved.
-- Run as `nvim --headless -u NONE -n -S neovim.lua`, with SETUP (the docs' setup, as a file) and RECIPE (a copy of
-- recipe.yaml) set.
local common = dofile(vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p:h') .. '/common.lua')
local fail = common.fail

local function check()
  local buf, found = common.open()
  local id = vim.g.dynlint
  local client = vim.lsp.get_client_by_id(id)
  local encoding = client.offset_encoding
  local target = found['unknown-transport-variable']
  vim.api.nvim_win_set_cursor(0, { target.lnum + 1, target.col })

  local hover = vim.lsp.buf_request_sync(buf, 'textDocument/hover', vim.lsp.util.make_position_params(0, encoding), 10000)
  local text = hover and hover[id] and hover[id].result and hover[id].result.contents.value or ''
  if not text:find('NCCL_DEBUG', 1, true) then
    fail('the hover does not say what is meant: %s', text)
  end

  local params = vim.lsp.util.make_range_params(0, encoding)
  params.context = { diagnostics = {} }
  local answers = vim.lsp.buf_request_sync(buf, 'textDocument/codeAction', params, 20000)
  local fix
  for _, action in ipairs(answers and answers[id] and answers[id].result or {}) do
    if action.title:find('^replace') then
      fix = action
    end
  end
  if not fix then
    fail('no fix is offered: %s', vim.inspect(answers))
  end
  vim.lsp.util.apply_workspace_edit(fix.edit, encoding)
  common.mended(buf)
  vim.lsp.stop_client(id)
  print(string.format('neovim %s, %s: diagnostics, hover, fix\n', tostring(vim.version().major) .. '.' .. vim.version().minor, encoding))
end

common.run('neovim', check)
