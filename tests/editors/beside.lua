-- dynlint beside yaml-language-server in one Neovim: who says what about a file full of mistakes.
-- Run as `nvim --headless -u NONE -n -S beside.lua`, with DYNLINT, NODE, YAML_SERVER (its script), SCHEMA (of the kind of
-- the files), and RECIPES (a directory with copies of beside/*.yaml) set; LEAVES=1 leaves to yaml-language-server what it
-- says.
-- In the files, `#~ dynlint` and `#~ schema` close a line that dynlint alone, or a reader of schemas, finds a mistake in.
local common = dofile(vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p:h') .. '/common.lua')
local fail = common.fail
local leaves = os.getenv('LEAVES') == '1'
local recipes = os.getenv('RECIPES')

-- Which servers say something about each line, counting from 0.
local function said(buf)
  local out, all = {}, {}
  for _, d in ipairs(vim.diagnostic.get(buf)) do
    local who = d.source == 'dynlint' and 'dynlint' or 'yaml'
    out[d.lnum] = out[d.lnum] or {}
    out[d.lnum][who] = true
    all[#all + 1] = string.format('%d %s %s: %s', d.lnum + 1, who, d.code or '', d.message)
  end
  return out, table.concat(all, '\n')
end

local function expected(buf)
  local out = {}
  for at, line in ipairs(vim.api.nvim_buf_get_lines(buf, 0, -1, false)) do
    local who = line:match('#~ (%w+)')
    if who == 'dynlint' then
      out[at - 1] = { dynlint = true }
    elseif who == 'schema' then
      out[at - 1] = leaves and { yaml = true } or { yaml = true, dynlint = true }
    end
  end
  return out
end

local function check()
  vim.cmd('filetype on')
  vim.lsp.config('dynlint', {
    cmd = { os.getenv('DYNLINT'), 'lsp' },
    filetypes = { 'yaml' },
    root_dir = recipes,
    init_options = { yamlLanguageServer = leaves },
  })
  vim.lsp.config('yaml-language-server', {
    cmd = { os.getenv('NODE'), os.getenv('YAML_SERVER'), '--stdio' },
    filetypes = { 'yaml' },
    root_dir = recipes,
    settings = {
      redhat = { telemetry = { enabled = false } },
      yaml = {
        validate = true,
        schemaStore = { enable = false, url = '' },
        schemas = { [vim.uri_from_fname(os.getenv('SCHEMA'))] = '*.yaml' },
        format = { enable = true },
      },
    },
  })
  vim.lsp.enable({ 'dynlint', 'yaml-language-server' })
  local count = 0
  for _, path in ipairs(vim.fn.sort(vim.fn.glob(recipes .. '/*.yaml', false, true))) do
    vim.cmd('edit ' .. vim.fn.fnameescape(path))
    local buf = vim.api.nvim_get_current_buf()
    local want, now, all = expected(buf), nil, nil
    vim.wait(30000, function()
      now, all = said(buf)
      return vim.deep_equal(now, want)
    end, 50)
    -- What comes late counts too.
    vim.wait(1500, function() end)
    now, all = said(buf)
    if not vim.deep_equal(now, want) then
      fail('%s, leaves: %s\nexpected %s\nsaid\n%s', vim.fs.basename(path), tostring(leaves), vim.inspect(want), all)
    end
    local formatters = {}
    for _, client in ipairs(vim.lsp.get_clients({ bufnr = buf, method = 'textDocument/formatting' })) do
      formatters[#formatters + 1] = client.name
    end
    if not vim.deep_equal(formatters, { 'yaml-language-server' }) then
      fail('who formats: %s', vim.inspect(formatters))
    end
    count = count + vim.tbl_count(want)
  end
  if count == 0 then
    fail('no recipes')
  end
  local words = leaves and 'each said once' or 'those of the schema said by both, as nothing is left to the other'
  print(string.format('dynlint beside yaml-language-server: %d mistakes, %s; one of them formats', count, words))
end

common.run('beside', check)
