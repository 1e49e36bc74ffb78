"""Real Dynamo frontends with mocker workers on loopback: install, start, stop.

No GPU, no etcd, no NATS: file discovery, TCP requests, ZMQ events. Everything runs in a network namespace of its own
(loopback, and a private link because Dynamo before 1.5 wants an address that is not loopback), so nothing listens
outside. Virtual environments and the tiny model are kept under ~/.cache/dynlint.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

CACHE = pathlib.Path(os.environ.get("DYNLINT_LAB_CACHE", pathlib.Path.home() / ".cache/dynlint")) / "dynamo"

# From 1.5 on ai-dynamo declares a dependency that a frontend and a mocker do not use and that cannot be had from
# PyPI alone, so those are installed without the declared dependencies and with these.
SINCE_1_5 = [
    "aiohttp>=3.14.3,<4", "certifi", "kubernetes>=32.0.1,<33", "msgspec", "prometheus-client>=0.23.1,<1", "pyzmq",
    "redis>=6.2,<9", "tqdm", "transformers>=4.56", "zstandard>=0.23,<1",
]

TINY = '''
import json, pathlib, sys
from tokenizers import Tokenizer, models, pre_tokenizers, decoders, trainers
out = pathlib.Path(sys.argv[1]); out.mkdir(parents=True, exist_ok=True)
specials = ["<|begin_of_text|>", "<|eot_id|>", "<|user|>", "<|assistant|>", "<|system|>"]
tok = Tokenizer(models.BPE(byte_fallback=False))
tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tok.decoder = decoders.ByteLevel()
trainer = trainers.BpeTrainer(vocab_size=512, special_tokens=specials,
                              initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
tok.train_from_iterator(["the quick brown fox jumps over the lazy dog " * 4, "hello from a small model"], trainer)
# The mocker answers with token ids 1000 to 2000: give every one of them a text.
tok.add_tokens([f" w{i}" for i in range(tok.get_vocab_size(), 2048)])
tok.save(str(out / "tokenizer.json"))
size = tok.get_vocab_size()
(out / "config.json").write_text(json.dumps({
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 128,
    "num_attention_heads": 4, "num_key_value_heads": 4, "num_hidden_layers": 2, "vocab_size": size,
    "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "bos_token_id": 0, "eos_token_id": 1,
    "torch_dtype": "bfloat16", "tie_word_embeddings": True}))
(out / "generation_config.json").write_text(json.dumps({"bos_token_id": 0, "eos_token_id": 1}))
(out / "tokenizer_config.json").write_text(json.dumps({
    "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": specials[0], "eos_token": specials[1],
    "model_max_length": 4096, "clean_up_tokenization_spaces": False,
    "chat_template": "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{{ eos_token }}"
                     "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"}))
'''


def release(version):
    """(major, minor) of a version."""
    return tuple(int(part) for part in version.split(".")[:2])


def venv(version):
    """The Python of a virtual environment with that Dynamo in it, installed when it is not there."""
    home = CACHE / version
    python = home / "bin/python"
    if (home / "ready").exists():
        return python
    CACHE.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(home, ignore_errors=True)
    uv = CACHE / "uv/bin/uv"
    if not uv.exists():
        subprocess.run([sys.executable, "-m", "venv", CACHE / "uv"], check=True)
        subprocess.run([CACHE / "uv/bin/python", "-m", "pip", "install", "-q", "uv"], check=True, timeout=300)
    env = dict(os.environ, VIRTUAL_ENV=str(home))
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, home], check=True, timeout=120)

    def pip(*args):
        subprocess.run([uv, "pip", "install", "-q", *args], env=env, check=True, timeout=600)

    if release(version) >= (1, 5):
        pip("--no-deps", f"ai-dynamo=={version}")
        pip(f"ai-dynamo-runtime=={version}", *SINCE_1_5)
    else:
        pip(f"ai-dynamo=={version}")
    subprocess.run([python, "-c", "import dynamo.frontend, dynamo.mocker"], check=True, timeout=120)
    (home / "ready").touch()
    return python


def tiny_model(python):
    """A model directory without weights, which is all that a frontend and a mocker need."""
    path = CACHE / "tiny-model"
    if not (path / "tokenizer_config.json").exists():
        subprocess.run([python, "-c", TINY, path], check=True, timeout=120)
    return path


def enter_namespace():
    """Starts this program again in a network namespace of its own, once; says so and goes on when that is refused."""
    if os.environ.get("DYNLINT_LAB_NS"):
        return
    setup = (
        "ip link set lo up; ip link add v0 type veth peer name v1 && ip addr add 10.77.0.1/24 dev v0 && "
        "ip link set v0 up && ip link set v1 up && ip route add default via 10.77.0.2 dev v0; exec \"$@\""
    )
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    if subprocess.run([*unshare, "sh", "-c", "ip link set lo up"], capture_output=True).returncode != 0:
        sys.exit("this needs a network namespace: run as root, or allow unprivileged user namespaces")
    os.environ["DYNLINT_LAB_NS"] = "1"
    os.execvp(unshare[0], [*unshare, "sh", "-c", setup, "sh", sys.executable, *sys.argv])


class Lab:
    """One topology: a frontend and its workers, each a real process."""

    def __init__(self, version, directory, port=8000, nats=False):
        self.version, self.port, self.dir = version, port, pathlib.Path(directory)
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        self.python = venv(version)
        self.model_path = tiny_model(self.python)
        self.model = "tiny" if release(version) >= (1, 4) else str(self.model_path)
        self.procs, self.system_port = {}, port + 1000
        # Everything of the caller that could steer Dynamo is left out.
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("DYN_", "NATS", "ETCD"))}
        self.env = dict(
            clean, DYN_FILE_KV=str(self.dir / "kv"), DYN_DISCOVERY_BACKEND="file", DYN_REQUEST_PLANE="tcp",
            DYN_EVENT_PLANE="zmq", HF_HUB_OFFLINE="1", DYN_SDK_DISABLE_ANSI_LOGGING="1",
            DYN_TCP_RPC_HOST="127.0.0.1", DYN_EVENT_PLANE_HOST="127.0.0.1", HOME=str(self.dir),
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def spawn(self, key, args, env=None):
        log = open(self.dir / f"{key}.log", "wb")
        self.procs[key] = subprocess.Popen(
            [self.python, *map(str, args)], stdout=log, stderr=subprocess.STDOUT, env={**self.env, **(env or {})},
            cwd=self.dir)

    def frontend(self, *args, env=None):
        self.spawn("frontend", ["-m", "dynamo.frontend", "--http-host", "127.0.0.1", "--http-port", self.port, *args],
                   env)

    def mocker(self, key, *args, env=None):
        self.system_port += 1
        name = ["--model-name", "tiny"] if self.model == "tiny" else []
        self.spawn(key, ["-m", "dynamo.mocker", "--model-path", self.model_path, *name, "--speedup-ratio", "0", *args],
                   {"DYN_SYSTEM_HOST": "127.0.0.1", "DYN_SYSTEM_PORT": str(self.system_port), **(env or {})})

    def get(self, path, body=None, timeout=20):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, f"{type(error).__name__}: {error}"

    def wait(self, instances, model, seconds=40):
        """Waits until that many `generate` instances are seen and, when asked, a model is listed."""
        end = time.time() + seconds
        while time.time() < end:
            status, body = self.get("/health", timeout=2)
            seen = 0
            if status == 200:
                seen = sum(i["endpoint"] == "generate" for i in json.loads(body).get("instances", []))
            listed = not model or '"id"' in self.get("/v1/models", timeout=2)[1]
            if status == 200 and seen >= instances and listed:
                return True
            if self.procs["frontend"].poll() is not None:
                return False
            time.sleep(0.1)
        return False

    def wait_gone(self, instances, seconds=40):
        """Waits until no more than that many `generate` instances are seen."""
        end = time.time() + seconds
        while time.time() < end:
            status, body = self.get("/health", timeout=2)
            if status == 200:
                seen = sum(i["endpoint"] == "generate" for i in json.loads(body).get("instances", []))
                if seen <= instances:
                    return True
            time.sleep(0.2)
        return False

    def chat(self, text, tokens=4):
        return self.get("/v1/chat/completions", {
            "model": self.model, "messages": [{"role": "user", "content": text}], "max_tokens": tokens})

    def stop(self):
        for process in self.procs.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.procs.values():
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.procs = {}
