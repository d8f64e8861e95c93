-- Values of ARGV that come one after the other, in any number: a script reads them in order, from the place before them.

local function reader_of(argv, at)
  local reader = { argv = argv, at = at }
  function reader.one()
    reader.at = reader.at + 1
    return argv[reader.at]
  end
  function reader.some(n)
    local found = {}
    for i = 1, n do found[i] = argv[reader.at + i] end
    reader.at = reader.at + n
    return found
  end
  return reader
end
