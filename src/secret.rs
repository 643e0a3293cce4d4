//! Values that must never be read by accident.
//!
//! A [`Secret`] has no `Display`, a `Debug` that hides it, and an equality that
//! takes the same time whatever differs. It is zeroed when dropped.

use std::fmt;

use zeroize::Zeroize;

/// A value that never meets a log, an error, a metric or a page.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps a value; from here on only [`Secret::expose`] reads it.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. The name is long on purpose: each use is one to review.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize + AsRef<[u8]>> PartialEq for Secret<T> {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq(self.0.as_ref(), other.0.as_ref())
    }
}

impl<T: Zeroize + AsRef<[u8]>> Eq for Secret<T> {}

/// Compares without telling by its time where two values differ (their lengths may show).
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_value() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn equality_compares_the_values() {
        assert_eq!(Secret::new(vec![1_u8, 2]), Secret::new(vec![1, 2]));
        assert_ne!(Secret::new(vec![1_u8, 2]), Secret::new(vec![1, 3]));
        assert_ne!(Secret::new(vec![1_u8, 2]), Secret::new(vec![1]));
    }
}
