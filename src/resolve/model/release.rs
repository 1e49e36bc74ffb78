//! Releases of Dynamo.

use std::fmt;

/// A Dynamo release, `major.minor.patch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Major.
    pub major: u16,
    /// Minor.
    pub minor: u16,
    /// Patch.
    pub patch: u16,
}

impl Version {
    /// `major.minor.0`.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor, patch: 0 }
    }

    /// Reads `1.4`, `1.4.2`, `v1.4.2`, `1.4.0-dev3`, and as wheels are named `1.4.0rc1`, `0.7.0.post1`; a pre-release and
    /// a post-release count as their release.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let core = text.trim().trim_start_matches('v');
        let core = core.split(['-', '+']).next()?;
        let mut parts = core.split('.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        let patch = parts.next().map_or(Some(0), |part| {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            let (number, stage) = part.split_at(digits);
            is_stage(stage).then(|| number.parse().ok()).flatten()
        })?;
        parts.all(|part| !part.is_empty() && is_stage(part)).then_some(Self { major, minor, patch })
    }
}

/// What stands behind the numbers of a wheel's version: nothing, `rc1`, `post1`, `dev20251001`.
fn is_stage(text: &str) -> bool {
    let number = text.trim_start_matches(|c: char| c.is_ascii_lowercase());
    text.is_empty()
        || matches!(&text[..text.len() - number.len()], "a" | "b" | "rc" | "post" | "dev")
            && number.bytes().all(|b| b.is_ascii_digit())
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}
