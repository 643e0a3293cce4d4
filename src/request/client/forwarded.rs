//! One element of `Forwarded` (RFC 7239 §4): `for=192.0.2.43;proto=https;host=example.com`.
//!
//! The header is cut at every comma, quoted or not, because it is read from the
//! right and the left part may be the visitor's: an opening quote that they send
//! must not swallow what our proxy appended. No registered parameter holds a comma.

/// The parameters that concern us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Element<'a> {
    /// `for`
    pub(super) node: Option<&'a str>,
    /// `proto`
    pub(super) proto: Option<&'a str>,
    /// `host`
    pub(super) host: Option<&'a str>,
}

impl<'a> Element<'a> {
    /// Reads an element strictly: a pair twice, an open quote or a missing `=` and it says nothing.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut element = Self::default();
        for pair in text.split(';') {
            let (name, value) = pair.trim_ascii().split_once('=')?;
            let value = value.strip_prefix('"').map_or(Some(value), |quoted| quoted.strip_suffix('"'))?;
            if value.is_empty() || value.contains(['"', '\\', ' ', '\t']) {
                return None;
            }
            let slot = match name {
                _ if name.eq_ignore_ascii_case("for") => &mut element.node,
                _ if name.eq_ignore_ascii_case("proto") => &mut element.proto,
                _ if name.eq_ignore_ascii_case("host") => &mut element.host,
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return None;
            }
        }
        Some(element)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_read_strictly() {
        let full = Element { node: Some("[2001:db8::1]:4711"), proto: Some("https"), host: Some("a.example") };
        let only_for = Element { node: Some("192.0.2.43"), ..Element::default() };
        for (text, element) in [
            (r#"For="[2001:db8::1]:4711";proto=https;host="a.example""#, Some(full)),
            ("for=192.0.2.43", Some(only_for)),
            ("for=192.0.2.43; by=203.0.113.60;secret=x", Some(only_for)),
            ("for=192.0.2.43;for=192.0.2.44", None),
            ("for=\"192.0.2.43", None),
            ("for=192.0.2.43\"", None),
            ("for=\"a\\\"b\"", None),
            ("for=", None),
            ("192.0.2.43", None),
            ("for=192.0.2.43;", None),
        ] {
            assert_eq!(Element::parse(text), element, "{text}");
        }
    }
}
