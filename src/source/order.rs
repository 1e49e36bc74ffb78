//! Sorting what is short or sorted seldom.

use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Sorts as [`slice::sort_by`] does: what compares equal keeps its order. The sorting is compiled once for everything that
/// is sorted here, not once for each type and order (some 6 KB each); where sorting takes time, sort in place.
pub fn order<T>(items: &mut Vec<T>, mut compare: impl FnMut(&T, &T) -> Ordering) {
    if items.len() < 2 {
        return;
    }
    let order = permutation(items.len(), &mut |a, b| compare(&items[a], &items[b]));
    if !order.is_sorted() {
        let mut slots: Vec<Option<T>> = items.drain(..).map(Some).collect();
        items.extend(order.into_iter().filter_map(|at| slots[at].take()));
    }
}

/// The same by a key of each.
pub fn order_by_key<T, K: Ord>(items: &mut Vec<T>, key: impl Fn(&T) -> K) {
    order(items, |a, b| key(a).cmp(&key(b)));
}

/// A set of them. Collecting into one sorts in code of its own for each type; adding one by one does not.
pub fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(items);
    set
}

/// The indices below `len` in order.
pub fn permutation(len: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by(|&a, &b| compare(a, b));
    order
}

#[cfg(test)]
mod tests {
    use super::{order, order_by_key};

    #[test]
    fn orders_as_sort_by_does() {
        let mut seed = 7u32;
        for len in [0, 1, 2, 3, 20, 21, 500] {
            let mut items: Vec<(u32, usize)> = Vec::new();
            for at in 0..len {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                items.push((seed >> 28, at));
            }
            let mut same = items.clone();
            let mut expected = items.clone();
            expected.sort_by_key(|item| item.0);
            order(&mut items, |a, b| a.0.cmp(&b.0));
            order_by_key(&mut same, |item| item.0);
            assert_eq!(items, expected);
            assert_eq!(same, expected);
        }
    }
}
