//! Claims as field values (RFC 9110 §5.5).
//!
//! A claim may be any text; a field value holds printable ASCII, inner spaces and, for
//! those who agree on what they mean, bytes from 0x80. Whatever an encoding does not
//! write as it is becomes the percent-encoded bytes of its UTF-8, and `%` does in all
//! of them. So each is total and none makes one value of two claims: nobody becomes
//! somebody else by a name with a line end in it. Rejected for `utf8` and `latin1`:
//! leaving `%` alone (`a%0A` and `a` with a line end would be one), and leaving a value
//! out that does not fit (an app without a name for its visitor is a riddle).

use crate::config::app::Encoding;

/// One text.
pub(super) fn encode(text: &str, encoding: Encoding) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    encode_into(&mut out, text, encoding, |_| false);
    out
}

/// The members of a list, joined by commas; a comma inside a member is encoded.
pub(super) fn encode_list<'m>(members: impl Iterator<Item = &'m str>, encoding: Encoding) -> Vec<u8> {
    let mut out = Vec::new();
    for (place, member) in members.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        encode_into(&mut out, member, encoding, |c| c == ',');
    }
    out
}

fn encode_into(out: &mut Vec<u8>, text: &str, encoding: Encoding, also: impl Fn(char) -> bool) {
    for (place, c) in text.char_indices() {
        // Apps cut spaces off at the edges, whichever Unicode has.
        let at_an_edge = place == 0 || place + c.len_utf8() == text.len();
        let would_be_lost = c.is_control() || (at_an_edge && c.is_whitespace());
        let plain = c != '%' && !would_be_lost && !also(c);
        match (encoding, u8::try_from(u32::from(c))) {
            (_, Ok(byte)) if plain && byte.is_ascii() => out.push(byte),
            (Encoding::Latin1, Ok(byte)) if plain => out.push(byte),
            (Encoding::Utf8, _) if plain => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            _ => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| percent_encode(out, byte)),
        }
    }
}

fn percent_encode(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const ALL: [Encoding; 3] = [Encoding::Percent, Encoding::Utf8, Encoding::Latin1];

    #[test]
    fn threat_50_what_could_break_a_header_is_encoded_in_every_encoding() {
        for (claim, sent) in [
            ("plain text-1", "plain text-1"),
            ("a\r\nX-Admin: 1", "a%0D%0AX-Admin: 1"),
            ("a\0b", "a%00b"),
            (" edge ", "%20edge%20"),
            (" ", "%20"),
            ("tab\there", "tab%09here"),
            ("a,b", "a,b"),
            ("100%", "100%25"),
            ("\u{7f}", "%7F"),
            ("next\u{85}line", "next%C2%85line"),
            ("", ""),
        ] {
            for encoding in ALL {
                assert_eq!(encode(claim, encoding), sent.as_bytes(), "{claim:?} {encoding:?}");
            }
        }
    }

    #[test]
    fn each_encoding_writes_what_it_can() {
        for (claim, percent, utf8, latin1) in [
            ("jané", &b"jan%C3%A9"[..], "jané".as_bytes(), &b"jan\xe9"[..]),
            ("ÿ x", b"%C3%BF x", "ÿ x".as_bytes(), b"\xff x"),
            ("日本", b"%E6%97%A5%E6%9C%AC", "日本".as_bytes(), b"%E6%97%A5%E6%9C%AC"),
            ("é日", b"%C3%A9%E6%97%A5", "é日".as_bytes(), b"\xe9%E6%97%A5"),
            ("\u{a0}x", b"%C2%A0x", b"%C2%A0x", b"%C2%A0x"),
        ] {
            assert_eq!(encode(claim, Encoding::Percent), percent, "{claim}");
            assert_eq!(encode(claim, Encoding::Utf8), utf8, "{claim}");
            assert_eq!(encode(claim, Encoding::Latin1), latin1, "{claim}");
        }
    }

    #[test]
    fn threat_50_a_comma_ends_a_member_of_a_list_and_no_member_has_one() {
        let groups = ["staff", "a,b", "100%", "", " x", "é"];
        for (encoding, sent) in [
            (Encoding::Percent, &b"staff,a%2Cb,100%25,,%20x,%C3%A9"[..]),
            (Encoding::Utf8, "staff,a%2Cb,100%25,,%20x,é".as_bytes()),
            (Encoding::Latin1, b"staff,a%2Cb,100%25,,%20x,\xe9"),
        ] {
            assert_eq!(encode_list(groups.into_iter(), encoding), sent);
        }
    }

    /// What an app that knows the encoding reads.
    fn decode(sent: &[u8], encoding: Encoding) -> String {
        let raw: Vec<u8> = match encoding {
            Encoding::Percent | Encoding::Utf8 => sent.to_vec(),
            Encoding::Latin1 => sent.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes(),
        };
        percent_encoding::percent_decode(&raw).decode_utf8().expect("UTF-8").into_owned()
    }

    proptest! {
        #[test]
        fn any_claim_is_a_field_value_and_comes_back(claim in any::<String>()) {
            for encoding in ALL {
                let sent = encode(&claim, encoding);
                prop_assert!(HeaderValue::from_bytes(&sent).is_ok());
                prop_assert_eq!(decode(&sent, encoding), claim.clone());
            }
        }
    }
}
