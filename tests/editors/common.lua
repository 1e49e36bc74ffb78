-- What the scripts of every Neovim share: how they end, how they wait, and that columns are right.
-- `dofile` of this file gives `run(name, check)`, to be called last, and what `check` needs.
local M = {}

function M.fail(...)
  io.stderr:write(M.name .. ': ' .. string.format(...) .. '\n')
  vim.cmd('cquit 1')
end

-- Runs a script and leaves Neovim: with 1 when something in it is wrong.
function M.run(name, check)
  M.name = name
  local ok, problem = pcall(check)
  if not ok then
    M.fail('%s', problem)
  end
  vim.cmd('qa!')
end

-- The first diagnostic of each rule. Before 0.10 the code of a diagnostic is found with what the server sent.
function M.by_code(buf)
  local found = {}
  for _, d in ipairs(vim.diagnostic.get(buf)) do
    local code = d.code or (d.user_data and d.user_data.lsp and d.user_data.lsp.code)
    found[code] = found[code] or d
  end
  return found
end

-- Waits until the diagnostics are as wanted, and gives them by rule.
function M.wait(buf, problem, wanted)
  local found
  local done = vim.wait(20000, function()
    found = M.by_code(buf)
    return wanted(found)
  end, 20)
  if not done then
    M.fail('%s: %s', problem, vim.inspect(vim.diagnostic.get(buf)))
  end
  return found
end

-- Opens recipe.yaml by the setup of the docs: its buffer, and what is found in it.
function M.open()
  dofile(os.getenv('SETUP'))
  vim.cmd('filetype on')
  vim.cmd('edit ' .. vim.fn.fnameescape(os.getenv('RECIPE')))
  local buf = vim.api.nvim_get_current_buf()
  local found = M.wait(buf, 'no diagnostics', function(found)
    return found['unknown-router-mode'] ~= nil and found['unknown-transport-variable'] ~= nil
  end)
  -- Neovim counts columns in bytes: what it cuts out of the line must be the word itself.
  local expected = { ['unknown-router-mode'] = 'kv-aware', ['unknown-transport-variable'] = 'NCCL_DEBGU' }
  for code, word in pairs(expected) do
    local d = found[code]
    local line = vim.api.nvim_buf_get_lines(buf, d.lnum, d.lnum + 1, false)[1]
    local cut = line:sub(d.col + 1, d.end_col)
    if cut ~= word then
      M.fail('%s stands on %q, not on %q', code, cut, word)
    end
  end
  return buf, found
end

-- Waits until the fix of the misspelled variable has done what it should, and writes the file.
function M.mended(buf)
  M.wait(buf, 'the finding stays after its fix', function(found)
    return found['unknown-transport-variable'] == nil and found['unknown-router-mode'] ~= nil
  end)
  vim.cmd('write')
end

return M
