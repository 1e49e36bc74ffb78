//! `$(NAME)` in `command`, `args` and `env` values, as the kubelet expands it.

use super::{Lookup, Word};
use crate::source::{Reason, Text};

/// Expands `$(NAME)` references. `$$` stands for `$`; a reference that `lookup` does not know stays as it is written
/// (and may then be a command substitution to a shell). Nothing is split.
///
/// Where a reference is all of the text, or all of it behind `--flag=`, its value keeps its own provenance; elsewhere it
/// maps to the reference. A value that cannot be known leaves the reference as written and makes the word dynamic.
///
/// Source: Kubernetes `third_party/forked/golang/expansion/expand.go`.
#[must_use]
pub fn kubelet_expand(text: &Text, lookup: &Lookup<'_>) -> Word {
    let src = text.as_str();
    let bytes = src.as_bytes();
    if memchr::memchr(b'$', bytes).is_none() {
        return Word::known(text.clone());
    }
    let mut out = Text::empty(text.whole());
    let mut dynamic: Option<Reason> = None;
    let (mut at, mut literal) = (0, 0);
    while let Some(found) = memchr::memchr(b'$', &bytes[at..]) {
        let start = at + found;
        match bytes.get(start + 1) {
            Some(b'$') => {
                out.push_slice(text, literal..start);
                out.push_piece("$", text.slice_span(start..start + 2));
                at = start + 2;
                literal = at;
            }
            Some(b'(') => {
                let Some(len) = memchr::memchr(b')', &bytes[start + 2..]) else {
                    at = start + 2;
                    continue;
                };
                let end = start + 3 + len;
                at = end;
                let Some(word) = lookup(&src[start + 2..end - 1]) else { continue };
                out.push_slice(text, literal..start);
                literal = end;
                if let Some(reason) = word.dynamic {
                    out.push_slice(text, start..end);
                    dynamic.get_or_insert(reason);
                } else if end == bytes.len() && whole_value(&src[..start]) {
                    out.push(&word.text);
                } else {
                    out.push_piece(word.text.as_str(), text.slice_span(start..end));
                }
            }
            // Any other character behind the `$`, a multi-byte one included, is literal like the `$`.
            _ => at = start + 1,
        }
    }
    out.push_slice(text, literal..bytes.len());
    Word { text: out, dynamic, open: false }
}

/// Whether what stands before a reference leaves it a value of its own: nothing, or `--flag=`.
fn whole_value(before: &str) -> bool {
    before.is_empty() || (before.starts_with('-') && before.ends_with('=') && !before.contains(['$', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FileId, Span};

    const FILE: FileId = FileId(0);

    fn text(value: &str, at: u32) -> Text {
        Text::opaque(value, Span::new(FILE, at, at + u32::try_from(value.len()).unwrap()))
    }

    fn expand(value: &str) -> Word {
        kubelet_expand(&text(value, 100), &|name| match name {
            "MODEL" => Some(Word::known(text("Qwen/Qwen3-32B", 7))),
            "EMPTY" => Some(Word::known(text("", 3))),
            "TOKEN" => Some(Word::unknown(text("?", 5), Reason::Secret("hf".into()))),
            _ => None,
        })
    }

    #[test]
    fn references_escapes_and_what_stays() {
        for (from, to) in [
            ("plain", "plain"),
            ("$(MODEL)", "Qwen/Qwen3-32B"),
            ("--model=$(MODEL)!", "--model=Qwen/Qwen3-32B!"),
            ("$$(MODEL)", "$(MODEL)"),
            ("$$$(MODEL)", "$Qwen/Qwen3-32B"),
            ("$(nvidia-smi -L | wc -l)", "$(nvidia-smi -L | wc -l)"),
            ("$(UNSET)$(EMPTY).", "$(UNSET)."),
            ("$MODEL ${MODEL} $", "$MODEL ${MODEL} $"),
            ("$(MODEL", "$(MODEL"),
            ("$é$(EMPTY)ü", "$éü"),
            ("a$$", "a$"),
        ] {
            let word = expand(from);
            assert_eq!((word.text.as_str(), word.dynamic), (to, None), "{from}");
        }
    }

    #[test]
    fn what_cannot_be_known_is_left_as_written() {
        let word = expand("--token=$(TOKEN)");
        assert_eq!(&*word.text, "--token=$(TOKEN)");
        assert_eq!(word.dynamic, Some(Reason::Secret("hf".into())));
        assert!(!word.open);
    }

    #[test]
    fn a_whole_value_keeps_its_own_place_and_a_part_does_not() {
        let word = expand("--model=$(MODEL)");
        assert_eq!(word.text.slice_span(0..7), Span::new(FILE, 100, 107));
        assert_eq!(word.text.slice_span(8..12), Span::new(FILE, 7, 11));
        let word = expand("/cache/$(MODEL)");
        assert_eq!(word.text.slice_span(8..12), Span::new(FILE, 107, 115));
        assert_eq!(word.text.slice_span(0..7), Span::new(FILE, 100, 107));
        let word = expand("a$$b");
        assert_eq!(word.text.slice_span(1..2), Span::new(FILE, 101, 103));
        assert_eq!(word.text.slice_span(2..3), Span::new(FILE, 103, 104));
    }
}
