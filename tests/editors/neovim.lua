-- A real Neovim on a recipe: diagnostics at the right columns behind wide characters, a hover, a quick fix, the bytes saved.
-- Run as `nvim --headless -u NONE -n -S neovim.lua`, with SETUP (the docs' setup, as a file) and RECIPE (a copy of
-- recipe.yaml) set.
local function fail(...)
  io.stderr:write('neovim: ' .. string.format(...) .. '\n')
  vim.cmd('cquit 1')
end

local function check()
  local recipe = os.getenv('RECIPE')
  dofile(os.getenv('SETUP'))
  vim.cmd('filetype on')
  vim.cmd('edit ' .. vim.fn.fnameescape(recipe))
  local buf = vim.api.nvim_get_current_buf()
  local id = vim.g.dynlint
  if not id then
    fail('the setup of the docs starts no server for a file of type %q', vim.bo[buf].filetype)
  end
  local found = {}
  local shown = vim.wait(20000, function()
    found = {}
    for _, d in ipairs(vim.diagnostic.get(buf)) do
      local code = d.code or (d.user_data and d.user_data.lsp and d.user_data.lsp.code)
      found[code] = found[code] or d
    end
    return found['unknown-router-mode'] ~= nil and found['unknown-transport-variable'] ~= nil
  end, 20)
  if not shown then
    fail('no diagnostics: %s', vim.inspect(vim.diagnostic.get(buf)))
  end
  -- Neovim counts columns in bytes: what it cuts out of the line must be the word itself.
  local expected = { ['unknown-router-mode'] = 'kv-aware', ['unknown-transport-variable'] = 'NCCL_DEBGU' }
  for code, word in pairs(expected) do
    local d = found[code]
    local line = vim.api.nvim_buf_get_lines(buf, d.lnum, d.lnum + 1, false)[1]
    local cut = line:sub(d.col + 1, d.end_col)
    if cut ~= word then
      fail('%s stands on %q, not on %q', code, cut, word)
    end
  end
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
  local cleared = vim.wait(20000, function()
    for _, d in ipairs(vim.diagnostic.get(buf)) do
      local code = d.code or (d.user_data and d.user_data.lsp and d.user_data.lsp.code)
      if code == 'unknown-transport-variable' then
        return false
      end
    end
    return #vim.diagnostic.get(buf) > 0
  end, 20)
  if not cleared then
    fail('the finding stays after its fix')
  end
  vim.cmd('write')
  vim.lsp.stop_client(id)
  print(string.format('neovim %s, %s: diagnostics, hover, fix\n', tostring(vim.version().major) .. '.' .. vim.version().minor, encoding))
end

local ok, problem = pcall(check)
if not ok then
  fail('%s', problem)
end
vim.cmd('qa!')
