-- A Neovim with `vim.lsp.config` on a recipe, set up word for word as the docs say: diagnostics at the right columns behind
-- wide characters, hover, quick fix, the answer of the code lens in a split, the bytes saved.
-- Run as `nvim --headless -u NONE -n -S neovim-latest.lua`, with SETUP (the docs' setup, as a file) and RECIPE (a copy of
-- recipe.yaml) set.
local common = dofile(vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p:h') .. '/common.lua')
local fail = common.fail

local function check()
  local buf, found = common.open()
  local client = vim.lsp.get_clients({ bufnr = buf, name = 'dynlint' })[1]
  local function ask(method, params)
    local answer, problem = client:request_sync(method, params, 20000, buf)
    if not answer or answer.err then
      fail('%s: %s', method, problem or vim.inspect(answer.err))
    end
    return answer.result
  end
  local target = found['unknown-transport-variable']
  vim.api.nvim_win_set_cursor(0, { target.lnum + 1, target.col })
  local hover = ask('textDocument/hover', vim.lsp.util.make_position_params(0, client.offset_encoding))
  if not (hover and hover.contents.value:find('NCCL_DEBUG', 1, true)) then
    fail('the hover does not say what is meant: %s', vim.inspect(hover))
  end

  -- The lens, as pressing on it does: the handler of the docs shows the answer.
  local lens = ask('textDocument/codeLens', { textDocument = { uri = vim.uri_from_bufnr(buf) } })[1]
  client:exec_cmd(lens.command, { bufnr = buf })
  local split = vim.wait(20000, function()
    return vim.api.nvim_get_current_buf() ~= buf
  end, 20)
  local text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n')
  if not split or vim.bo.buftype ~= 'nofile' or not text:find('DYN_ROUTER_MODE = kv-aware', 1, true) then
    fail('the answer of the lens is not in a split: %s', text)
  end
  vim.cmd('bwipeout!')

  -- The quick fix, as its key does: the one that replaces.
  vim.api.nvim_set_current_buf(buf)
  vim.api.nvim_win_set_cursor(0, { target.lnum + 1, target.col })
  vim.lsp.buf.code_action({
    apply = true,
    filter = function(action)
      return action.title:find('^replace') ~= nil
    end,
  })
  local mended = vim.wait(20000, function()
    local line = vim.api.nvim_buf_get_lines(buf, target.lnum, target.lnum + 1, false)[1]
    return line:find('NCCL_DEBUG,', 1, true) ~= nil
  end, 20)
  if not mended then
    fail('no fix was applied: %s', vim.api.nvim_buf_get_lines(buf, target.lnum, target.lnum + 1, false)[1])
  end
  common.mended(buf)
  print(string.format('neovim %s, %s: diagnostics, hover, lens, fix', tostring(vim.version()), client.offset_encoding))
end

common.run('neovim', check)
