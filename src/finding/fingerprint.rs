//! The lasting name of a finding: the same as long as what it is about stays, wherever the lines around it move.

use std::collections::HashMap;
use std::fmt;

/// 128 bits, printed as 32 hex digits. Unique within one file; a file that is renamed keeps its findings' names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub u128);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What makes a finding the one it is. No line numbers, no paths, no wording.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity<'a> {
    /// Rule id.
    pub rule: &'a str,
    /// Kind of the object it stands in, empty when none.
    pub kind: &'a str,
    /// Name of that object.
    pub name: &'a str,
    /// Deployment.
    pub deployment: &'a str,
    /// Service.
    pub service: &'a str,
    /// Variable, flag or field.
    pub subject: &'a str,
    /// What is written under the primary label; blanks count as one, quotes not at all, and only its first line counts.
    pub text: &'a str,
}

/// Gives out the fingerprints of one file. Findings that agree in everything are told apart by their order.
#[derive(Debug, Default)]
pub struct Fingerprints {
    seen: HashMap<u128, u32>,
}

impl Fingerprints {
    /// The fingerprint of the next finding of the file.
    pub fn next(&mut self, identity: &Identity<'_>) -> Fingerprint {
        let mut hash = Fnv::new();
        for part in
            [identity.rule, identity.kind, identity.name, identity.deployment, identity.service, identity.subject]
        {
            hash.part(part.as_bytes());
        }
        let line = identity.text.lines().next().unwrap_or_default();
        for word in line.split_whitespace() {
            // `"x"` and `x` are the same value.
            for part in word.split(['"', '\'']) {
                part.bytes().for_each(|byte| hash.byte(byte));
            }
            hash.byte(0xff);
        }
        let ordinal = self.seen.entry(hash.0).or_default();
        hash.part(&ordinal.to_le_bytes());
        *ordinal += 1;
        Fingerprint(hash.0)
    }
}

/// FNV-1a, 128 bits (draft-eastlake-fnv): names must be the same on every machine and in every release, which the
/// standard library's hashers do not promise.
struct Fnv(u128);

impl Fnv {
    const fn new() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }

    /// One part, closed by a byte that no UTF-8 holds.
    fn part(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.byte(byte);
        }
        self.byte(0xff);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv_1a_128() {
        // Test vectors of draft-eastlake-fnv: the empty string, and "a".
        assert_eq!(Fnv::new().0, 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        let mut hash = Fnv::new();
        hash.byte(b'a');
        assert_eq!(hash.0, 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
    }

    #[test]
    fn equal_ones_are_told_apart_by_order_and_blanks_do_not_count() {
        let a = Identity { rule: "r", text: "x:  y\nz", ..Identity::default() };
        let b = Identity { text: "x: 'y'", ..a };
        let c = Identity { service: "s", ..a };
        let mut file = Fingerprints::default();
        let (first, second, other) = (file.next(&a), file.next(&b), file.next(&c));
        assert!(first != second && first != other && second != other);
        let mut again = Fingerprints::default();
        assert_eq!(again.next(&b), first);
        assert_eq!(again.next(&a), second);
        assert_eq!(first.to_string().len(), 32);
    }
}
