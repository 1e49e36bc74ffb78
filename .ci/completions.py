"""What the PowerShell script offers, held against --help and against what bash offers: completions.py BINARY PS1 BASH."""

import re
import subprocess
import sys

import tree_sitter
import tree_sitter_pwsh

binary, script, bash = sys.argv[1:]
source = open(script, "rb").read()
root = tree_sitter.Parser(tree_sitter.Language(tree_sitter_pwsh.language())).parse(source).root_node


def nodes(node):
    yield node
    for child in node.children:
        yield from nodes(child)


def text(node):
    return source[node.start_byte : node.end_byte].decode()


wrong = [node for node in nodes(root) if node.is_error or node.is_missing]
for node in wrong[:5]:
    print(f"PowerShell: line {node.start_point[0] + 1}: {text(node)[:80]!r} cannot be parsed")
if wrong or root.has_error:
    sys.exit(1)

# `switch` has one clause for each command: what it tests, and the words that it offers.
offers = {}
for clause in (node for node in nodes(root) if node.type == "switch_clause"):
    command = text(clause.children[0]).strip("'")
    words = re.findall(r"\[CompletionResult\]::new\('([^']+)'", text(clause))
    offers[command.replace(";", " ")] = {word for word in words}

count = 0
for command, words in sorted(offers.items()):
    path = command.split()
    if "help" in path:
        continue
    told = subprocess.run([binary, *path[1:], "--help"], capture_output=True, text=True, check=True).stdout
    flags = set(re.findall(r"^ {2,6}(?:-\w, )?(--[a-z-]+)", told, re.M)) | set(re.findall(r"^ {2,6}(-\w)\b", told, re.M))
    commands = set()
    if "\nCommands:\n" in told:
        listed = told.split("\nCommands:\n")[1].split("\n\n")[0]
        commands = set(re.findall(r"^  ([a-z]+)", listed, re.M))
    words_of_bash = " ".join(f"'{word}'" for word in path)
    said = subprocess.run(
        ["bash", "-c", f"source {bash}; COMP_WORDS=({words_of_bash} ''); COMP_CWORD={len(path)}; "
         f"_dynlint dynlint '' {path[-1]}; COMP_WORDS[COMP_CWORD]=-; printf '%s\\n' \"${{COMPREPLY[@]}}\"; "
         f"_dynlint dynlint - {path[-1]}; printf '%s\\n' \"${{COMPREPLY[@]}}\""],
        capture_output=True, text=True, check=True,
    ).stdout.split()
    # Hidden options, for tests, are offered too: the generators do not leave them out.
    for what, missing in (("--help", (flags | commands) - words), ("bash", words - set(said))):
        if missing:
            print(f"PowerShell: {command}: differs from {what}: {sorted(missing)}")
            sys.exit(1)
    count += len(words)
if len(offers) < 20 or count < 200:
    print(f"PowerShell: only {len(offers)} commands with {count} words found")
    sys.exit(1)
print(f"PowerShell: parsed, not run; offers for {len(offers)} commands ({count} words) agree with --help and bash")
