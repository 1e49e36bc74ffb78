//! Answers that several rules ask for and one of them has to work out.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::{Arc, Mutex};

/// Keeps one value of each type. A value must follow from what the memo belongs to and from nothing else: then it does
/// not matter who asked first.
#[derive(Default)]
pub struct Memo(Mutex<Vec<(TypeId, Arc<dyn Any + Send + Sync>)>>);

impl Memo {
    /// The value of that type, made when nobody asked for it before.
    pub fn once<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let wanted = TypeId::of::<T>();
        let known = |values: &Vec<(TypeId, Arc<dyn Any + Send + Sync>)>| {
            let (_, value) = values.iter().find(|(id, _)| *id == wanted)?;
            Arc::clone(value).downcast::<T>().ok()
        };
        // A thread that panicked while it held the lock left the list whole.
        let locked = || self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(value) = known(&locked()) {
            return value;
        }
        // The lock is free meanwhile: making one value may ask for another.
        let made = Arc::new(make());
        let mut values = locked();
        known(&values).unwrap_or_else(|| {
            values.push((wanted, Arc::clone(&made) as Arc<dyn Any + Send + Sync>));
            made
        })
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

#[cfg(test)]
mod tests {
    use super::Memo;

    #[test]
    fn one_value_of_each_type_made_once() {
        let memo = Memo::default();
        assert_eq!(*memo.once(|| 7u8), 7);
        assert_eq!(*memo.once(|| -> u8 { panic!("asked for before") }), 7);
        assert_eq!(*memo.once(|| u16::from(*memo.once(|| 1u8)) + 1), 8);
    }

    #[test]
    fn a_value_that_cannot_be_made_leaves_no_trace() {
        let memo = Memo::default();
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| memo.once(|| -> u8 { panic!("no") })));
        assert!(failed.is_err());
        assert_eq!(*memo.once(|| 3u8), 3);
    }
}
