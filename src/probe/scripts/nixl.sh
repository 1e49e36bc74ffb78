# Prints what there is of NIXL and UCX. Reads only: no agent is made, nothing is sent.
LC_ALL=C
export LC_ALL
begin() { printf '\n@@ %s\n' "$1"; }
end() { printf '\n@@= %s\n' "$1"; }
limited() { if command -v timeout >/dev/null 2>&1; then timeout 15 "$@"; else "$@"; fi; }
tool() {
  begin "$1"; shift
  if ! command -v "$1" >/dev/null 2>&1; then end missing; return 0; fi
  limited "$@" 2>&1 </dev/null
  end $?
}

begin tools
for name in nixlbench nixl_example telemetry_reader kvbench ucx_info ucx_perftest fi_info etcdctl; do
  path=$(command -v "$name" 2>/dev/null) && printf '%s\t%s\n' "$name" "$path"
done
end 0

tool versions python3 -c '
import importlib.metadata as m
for name in ("nixl", "nixl-cu12", "nixl-cu13", "ai-dynamo", "ai-dynamo-runtime", "vllm", "sglang", "tensorrt-llm", "torch"):
    try:
        print(name, m.version(name), sep="\t")
    except m.PackageNotFoundError:
        pass
'

begin plugins
roots=$(python3 -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])' 2>/dev/null)
for dir in "$NIXL_PLUGIN_DIR" "$roots"/nixl*.libs/nixl "$roots"/nixl_cu*.libs/nixl "$roots"/.nixl*.mesonpy.libs/plugins \
  /opt/nvidia/nvda_nixl/lib/*/plugins /opt/nvidia/nvda_nixl/lib64/plugins /usr/local/nixl/lib/*/plugins; do
  [ -d "$dir" ] || continue
  for file in "$dir"/libplugin_*.so; do [ -e "$file" ] && printf '%s\n' "$file"; done
done
end 0

tool ucx-version ucx_info -v
tool ucx-devices ucx_info -d
begin done
end 0
