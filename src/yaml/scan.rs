//! Small scans over source text that find what the parser's events do not say.

use std::ops::Range;

/// Skips blanks, line ends, comments, `:`, `?`, anchors and tags from `from` on, and stops at the first byte that
/// `stop` accepts; dashes are skipped too unless asked for. `None` when something else stands in between.
pub(super) fn find_token(text: &str, from: usize, stop: impl Fn(u8) -> bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from;
    let mut blank_before = true;
    while let Some(&byte) = bytes.get(at) {
        if stop(byte) {
            return Some(at);
        }
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {
                blank_before = true;
                at += 1;
                continue;
            }
            b'#' if blank_before => at += memchr::memchr2(b'\n', b'\r', &bytes[at..]).unwrap_or(bytes.len() - at),
            b'&' | b'!' => {
                let end = bytes[at..].iter().position(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
                at += end.unwrap_or(bytes.len() - at);
            }
            b':' | b'?' | b'-' => at += 1,
            // The byte order mark.
            0xEF if text[at..].starts_with('\u{feff}') => at += 3,
            _ => return None,
        }
        blank_before = false;
    }
    None
}

/// End of the colon that follows a key, blanks between allowed; none when there is no colon on that line.
pub(super) fn colon_after(text: &str, key_end: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = key_end;
    while matches!(bytes.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    (bytes.get(at) == Some(&b':')).then_some(at + 1)
}

/// Where a block scalar stands: from its indicator to the end of its last line that is not blank.
///
/// `indicator` is where `|` or `>` stands, `content` what the parser gives as its place: from the first content byte,
/// indentation skipped, up to the next token.
pub(super) fn block_extent(text: &str, indicator: usize, content: Range<usize>) -> Range<usize> {
    let bytes = text.as_bytes();
    let header =
        indicator + 1 + bytes[indicator + 1..].iter().take_while(|b| matches!(b, b'+' | b'-' | b'0'..=b'9')).count();
    if content.start >= content.end || content.start < header {
        return indicator..header;
    }
    let line_start = memchr::memrchr2(b'\n', b'\r', &bytes[..content.start]).map_or(0, |at| at + 1);
    let indent = content.start - line_start;
    let mut end = content.end;
    while end > content.start {
        // Line ends at `end` are not content; neither is a line no longer than the indentation.
        if matches!(bytes[end - 1], b'\n' | b'\r') {
            end -= 1;
            continue;
        }
        let start = memchr::memrchr2(b'\n', b'\r', &bytes[..end]).map_or(0, |at| at + 1);
        let line = &bytes[start..end];
        if line.len() > indent && line.iter().any(|b| !matches!(b, b' ')) {
            break;
        }
        end = start;
    }
    if end <= content.start { indicator..header } else { indicator..end }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_behind_comments_and_properties() {
        let text = ": # a | b\n  &x|y !t  # |\n  |-\n";
        assert_eq!(find_token(text, 0, |b| b == b'|'), Some(text.rfind('|').unwrap()));
        assert_eq!(find_token(" - - x", 0, |b| b == b'-'), Some(1));
        assert_eq!(find_token(" x - ", 0, |b| b == b'-'), None);
    }

    #[test]
    fn blank_lines_do_not_belong_to_a_block() {
        let text = "|2- # c\n\n  a\n   b \n   \n\nx";
        let start = text.find('a').unwrap();
        assert_eq!(&text[block_extent(text, 0, start..text.len() - 1)], "|2- # c\n\n  a\n   b ");
        assert_eq!(block_extent("|-\n\n", 0, 4..4), 0..2);
    }
}
