# One NIXL transfer between two pods, bounded in size and time. argv: role (target or initiator), address, port, bytes,
# seconds, memory (dram or vram). The target owns a pattern, the initiator reads it and compares every byte.
# The last line is `@@json {...}`; what UCX logs comes before it. Nothing is written to disk.
import json, os, socket, struct, sys, threading, time

role, address, port, size, seconds, memory = sys.argv[1:7]
port, size, seconds = int(port), int(size), float(seconds)
begin = time.monotonic()
out = {"role": role, "memory": memory, "bytes": size}


def finish():
    print("\n@@json " + json.dumps(out, sort_keys=True), flush=True)
    # The exit handlers of libnl in the wheels crash after everything is done.
    os._exit(0 if "error" not in out else 1)


def late():
    out.setdefault("error", "not done within %g s" % seconds)
    finish()


watch = threading.Timer(seconds, late)
watch.daemon = True
watch.start()


def worker_environment():
    # The transport variables of the worker itself: a script in the pod may have exported them after the container began.
    for pid in sorted((p for p in os.listdir("/proc") if p.isdigit()), key=int):
        try:
            words = open("/proc/%s/cmdline" % pid, "rb").read().split(b"\0")
            if not any(w == b"-m" and words[i + 1].startswith(b"dynamo.") for i, w in enumerate(words[:-1])):
                continue
            for entry in open("/proc/%s/environ" % pid, "rb").read().split(b"\0"):
                name, _, value = entry.partition(b"=")
                if name.startswith((b"UCX_", b"NIXL_PLUGIN", b"FI_")):
                    os.environ[name.decode()] = value.decode(errors="replace")
            return int(pid)
        except (OSError, IndexError):
            continue
    return None


def pattern(n):
    # A row of 64 KiB, another in every place, so that a piece in the wrong place shows.
    import numpy
    row = (numpy.arange(65536, dtype=numpy.uint32) * 2654435761 >> 13).astype(numpy.uint8)
    rows = (numpy.arange(-(-n // 65536)) * 37).astype(numpy.uint8)
    return (row[None, :] ^ rows[:, None]).reshape(-1)[:n].copy()


def buffer(data):
    if memory == "vram":
        import torch
        tensor = torch.from_numpy(data).cuda()
        torch.cuda.synchronize()
        return tensor, tensor.data_ptr(), "VRAM"
    return data, data.ctypes.data, "DRAM"


def content(kept):
    if memory == "vram":
        import torch
        torch.cuda.synchronize()
        return kept.cpu().numpy()
    return kept


def send(link, data):
    link.sendall(struct.pack(">Q", len(data)) + data)


def receive(link):
    def exactly(n):
        data = b""
        while len(data) < n:
            piece = link.recv(n - len(data))
            if not piece:
                raise ConnectionError("the other side closed the connection")
            data += piece
        return data
    length = struct.unpack(">Q", exactly(8))[0]
    if length > 1 << 26:
        raise ValueError("the other side does not speak this protocol")
    return exactly(length)


try:
    out["worker_pid"] = worker_environment()
    for name, value in (("UCX_LOG_LEVEL", "info"), ("UCX_PROTO_INFO", "used")):
        os.environ[name] = value
    from nixl._api import nixl_agent, nixl_agent_config
    backend = os.environ.get("DYNLINT_NIXL_BACKEND", "UCX")
    agent = nixl_agent("dynlint-" + role, nixl_agent_config(backends=[backend]))
    left = lambda: max(0.1, seconds - (time.monotonic() - begin))
    if role == "target":
        kept, pointer, kind = buffer(pattern(size))
        registered = agent.register_memory([(pointer, size, 0, "")], kind)
        descriptors = agent.get_xfer_descs([(pointer, size, 0)], kind)
        server = socket.create_server((address, port))
        server.settimeout(left())
        link, peer = server.accept()
        link.settimeout(left())
        send(link, agent.get_agent_metadata())
        send(link, agent.get_serialized_descs(descriptors))
        # Progress until the other side says that it is done.
        link.settimeout(0.005)
        while True:
            agent.get_new_notifs()
            try:
                if not link.recv(1):
                    raise ConnectionError("the other side closed the connection")
                break
            except socket.timeout:
                continue
        out["ok"] = True
    else:
        while True:
            try:
                link = socket.create_connection((address, port), timeout=2)
                break
            except OSError as error:
                out["connect"] = str(error)
                if left() < 1:
                    raise
                time.sleep(0.1)
        out.pop("connect", None)
        link.settimeout(left())
        metadata, remote = receive(link), receive(link)
        peer = agent.add_remote_agent(metadata)
        remote = agent.deserialize_descs(remote)
        import numpy
        kept, pointer, kind = buffer(numpy.zeros(size, dtype=numpy.uint8))
        registered = agent.register_memory([(pointer, size, 0, "")], kind)
        local = agent.get_xfer_descs([(pointer, size, 0)], kind)
        handle = agent.initialize_xfer("READ", local, remote, peer, b"done")
        times = []
        for _ in range(3):
            start = time.monotonic()
            state = agent.transfer(handle)
            while state == "PROC":
                state = agent.check_xfer_state(handle)
            times.append(time.monotonic() - start)
            if state != "DONE":
                raise RuntimeError("the transfer ended in state " + str(state))
        out["seconds"] = [round(t, 6) for t in times]
        out["bytes_per_second"] = round(size / min(times))
        out["backend"] = str(agent.query_xfer_backend(handle))
        out["verified"] = bool(numpy.array_equal(content(kept), pattern(size)))
        if not out["verified"]:
            out["error"] = "the bytes that arrived are not those that were sent"
        link.sendall(b"x")
except BaseException as error:
    out["error"] = "%s: %s" % (type(error).__name__, error)
finish()
