//! Shell patterns: `*`, `?`, `[…]`.

/// One item of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// This character.
    Char(char),
    /// `?`
    Any,
    /// `*`
    Star,
    /// `[…]`: the ranges, and whether negated.
    Class(Vec<(char, char)>, bool),
}

/// A pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Item>);

impl Pattern {
    /// Appends quoted text.
    pub fn literal(&mut self, text: &str) {
        self.0.extend(text.chars().map(Item::Char));
    }

    /// Appends unquoted text, in which `*`, `?` and `[…]` are special.
    pub fn active(&mut self, text: &str) {
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        while at < chars.len() {
            let item = match chars[at] {
                '*' => Item::Star,
                '?' => Item::Any,
                '[' => match class(&chars[at..]) {
                    Some((item, len)) => {
                        at += len;
                        self.0.push(item);
                        continue;
                    }
                    None => Item::Char('['),
                },
                other => Item::Char(other),
            };
            self.0.push(item);
            at += 1;
        }
    }

    /// Whether the pattern matches all of `text`.
    pub fn matches(&self, text: &str) -> bool {
        self.ends(text).last().is_some_and(|&end| end == text.len())
    }

    /// Byte offsets at which a match from the start of `text` can end, in order.
    pub fn ends(&self, text: &str) -> Vec<usize> {
        // Positions (in characters) reachable after each item; linear in pattern times text.
        let chars: Vec<(usize, char)> = text.char_indices().collect();
        let mut reach = vec![false; chars.len() + 1];
        reach[0] = true;
        for item in &self.0 {
            let mut next = vec![false; chars.len() + 1];
            if *item == Item::Star {
                let mut on = false;
                for (k, slot) in next.iter_mut().enumerate() {
                    on |= reach[k];
                    *slot = on;
                }
            } else {
                for (k, (_, c)) in chars.iter().enumerate() {
                    if reach[k] && item.accepts(*c) {
                        next[k + 1] = true;
                    }
                }
            }
            reach = next;
        }
        let offset = |k: usize| chars.get(k).map_or(text.len(), |(at, _)| *at);
        reach.iter().enumerate().filter(|(_, on)| **on).map(|(k, _)| offset(k)).collect()
    }
}

impl Item {
    fn accepts(&self, c: char) -> bool {
        match self {
            Self::Char(own) => *own == c,
            Self::Any | Self::Star => true,
            Self::Class(ranges, negated) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated,
        }
    }
}

/// `[…]` at the start of `chars`, and its length. None for named classes, which are left to the shell.
fn class(chars: &[char]) -> Option<(Item, usize)> {
    let mut at = 1;
    let negated = matches!(chars.get(at), Some('!' | '^'));
    at += usize::from(negated);
    let first = at;
    let mut ranges = Vec::new();
    loop {
        let c = *chars.get(at)?;
        if c == ']' && at > first {
            return Some((Item::Class(ranges, negated), at + 1));
        }
        if c == '[' && chars.get(at + 1) == Some(&':') {
            return None;
        }
        if chars.get(at + 1) == Some(&'-') && chars.get(at + 2).is_some_and(|c| *c != ']') {
            ranges.push((c, chars[at + 2]));
            at += 3;
        } else {
            ranges.push((c, c));
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    fn pattern(text: &str) -> Pattern {
        let mut pattern = Pattern::default();
        pattern.active(text);
        pattern
    }

    #[test]
    fn stars_classes_and_literals() {
        assert!(pattern("*.yaml").matches("a.b.yaml"));
        assert!(!pattern("*.yaml").matches("a.yml"));
        assert!(pattern("mlx5_[0-3]").matches("mlx5_2"));
        assert!(!pattern("mlx5_[!0-3]").matches("mlx5_2"));
        assert!(pattern("[a").matches("[a"));
        assert!(pattern("?é").matches("üé"));
        let mut quoted = Pattern::default();
        quoted.literal("*");
        assert!(!quoted.matches("x"));
    }

    #[test]
    fn every_end_of_a_prefix_match() {
        assert_eq!(pattern("*/").ends("a/b/c"), [2, 4]);
        assert_eq!(pattern("").ends("abc"), [0]);
        assert!(pattern("x").ends("abc").is_empty());
    }

    #[test]
    fn many_stars_stay_linear() {
        let text = "a".repeat(2000);
        assert!(!pattern(&"*a".repeat(60).replace("a*", "a*b")).matches(&text));
    }
}
