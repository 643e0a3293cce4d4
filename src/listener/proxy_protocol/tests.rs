use proptest::prelude::*;

use super::*;

/// Version 2 with this command, family and body.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a body of the tests");
    [SIGNATURE.as_slice(), &[command, family], &length.to_be_bytes(), body].concat()
}

/// 192.0.2.7:80 to 198.51.100.9:443, with TLVs.
fn v4_body(tlvs: &[u8]) -> Vec<u8> {
    [&[192, 0, 2, 7, 198, 51, 100, 9, 0, 80, 1, 187], tlvs].concat()
}

fn address(text: &str) -> Source {
    Source::Address(text.parse().expect("an address"))
}

/// The header with a checksum that fits, or one bit off.
fn with_checksum(wrong: u32) -> Vec<u8> {
    let mut header = v2(0x21, 0x11, &v4_body(&[0x04, 0, 1, 9, CRC32C, 0, 4, 0, 0, 0, 0]));
    let checksum = crc32c(header.iter().copied()) ^ wrong;
    let place = header.len() - 4;
    header[place..].copy_from_slice(&checksum.to_be_bytes());
    header
}

#[test]
fn a_header_names_the_address_that_it_has_or_none() {
    let v6_body = [&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7][..], &[0; 20]].concat();
    for (header, source) in [
        (b"PROXY TCP4 192.0.2.7 198.51.100.9 56324 443\r\n".to_vec(), address("192.0.2.7")),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 0 0\r\n".to_vec(), address("1.1.1.1")),
        (b"PROXY TCP6 2001:db8::7 ::1 1 65535\r\n".to_vec(), address("2001:db8::7")),
        (format!("PROXY TCP6 {0} {0} 65535 65535\r\n", ["ffff"; 8].join(":")).into(), address(&["ffff"; 8].join(":"))),
        (b"PROXY UNKNOWN\r\n".to_vec(), Source::Unnamed),
        (b"PROXY UNKNOWN ffff::1 whatever 1\r\n".to_vec(), Source::Unnamed),
        (v2(0x21, 0x11, &v4_body(&[])), address("192.0.2.7")),
        (v2(0x21, 0x21, &v6_body), address("2001:db8::7")),
        (v2(0x21, 0x11, &v4_body(&[0xea, 0, 2, 1, 2, 0x04, 0, 0])), address("192.0.2.7")),
        (with_checksum(0), address("192.0.2.7")),
        (v2(0x21, 0x31, &[0; 216]), Source::Unnamed),
        (v2(0x21, 0x00, &[]), Source::Unnamed),
        (v2(0x21, 0x00, &[1, 2, 3]), Source::Unnamed),
        (v2(0x20, 0x00, &[]), Source::Peer),
        (v2(0x20, 0x11, &v4_body(&[])), Source::Peer),
    ] {
        let whole = Ok(Parsed::Header { length: header.len(), source });
        assert_eq!(parse(&header), whole, "{}", header.escape_ascii());
        let followed = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(parse(&followed), whole, "what follows is not looked at: {}", header.escape_ascii());
        for cut in 0..header.len() {
            let Ok(Parsed::Incomplete { needs }) = parse(&header[..cut]) else {
                panic!("{cut} bytes of {} are its beginning", header.escape_ascii())
            };
            assert!((1..=header.len() - cut).contains(&needs), "{needs} after {cut} bytes: {}", header.escape_ascii());
        }
    }
}

#[test]
fn what_is_no_header_by_the_letter_is_none() {
    let mut wrong_signature = v2(0x21, 0x11, &v4_body(&[]));
    wrong_signature[11] = b'\r';
    for (bytes, invalid) in [
        (b"GET / HTTP/1.1\r\n".to_vec(), Invalid::NoHeader),
        (b"\x16\x03\x01".to_vec(), Invalid::NoHeader),
        (b"\r\n\r\nGET".to_vec(), Invalid::NoHeader),
        (b"PROXYxTCP4 1.1.1.1 1.1.1.1 1 1\r\n".to_vec(), Invalid::NoHeader),
        (b"proxy TCP4 1.1.1.1 1.1.1.1 1 1\r\n".to_vec(), Invalid::NoHeader),
        (wrong_signature, Invalid::NoHeader),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n".to_vec(), Invalid::Line),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\r\n".to_vec(), Invalid::Line),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n".to_vec(), Invalid::Line),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1 1\r\n".to_vec(), Invalid::Line),
        (b"PROXY TCP4  1.1.1.1 1.1.1.1 1 1\r\n".to_vec(), Invalid::Line),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1 \r\n".to_vec(), Invalid::Line),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 +1 1\r\n".to_vec(), Invalid::Line),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n".to_vec(), Invalid::Line),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1 65536\r\n".to_vec(), Invalid::Line),
        (b"PROXY TCP4 01.1.1.1 1.1.1.1 1 1\r\n".to_vec(), Invalid::Line),
        (b"PROXY TCP4 ::1 ::1 1 1\r\n".to_vec(), Invalid::Line),
        (b"PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n".to_vec(), Invalid::Line),
        (b"PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n".to_vec(), Invalid::Line),
        (b"PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n".to_vec(), Invalid::Line),
        (b"PROXY UNKNOWNS\r\n".to_vec(), Invalid::Line),
        (b"PROXY TCP4 \xff.1.1.1 1.1.1.1 1 1\r\n".to_vec(), Invalid::Line),
        ([b"PROXY UNKNOWN ".as_slice(), &[b'x'; 93]].concat(), Invalid::TooLong),
        ([b"PROXY UNKNOWN ".as_slice(), &[b'x'; 92], b"\r\n"].concat(), Invalid::Line),
        (v2(0x11, 0x11, &v4_body(&[])), Invalid::Command),
        (v2(0x22, 0x11, &v4_body(&[])), Invalid::Command),
        (v2(0x21, 0x41, &v4_body(&[])), Invalid::Command),
        (v2(0x21, 0x10, &v4_body(&[])), Invalid::Command),
        (v2(0x21, 0x12, &v4_body(&[])), Invalid::Datagrams),
        (v2(0x21, 0x11, &[0; 11]), Invalid::Truncated),
        (v2(0x21, 0x21, &[0; 35]), Invalid::Truncated),
        (v2(0x21, 0x31, &[0; 215]), Invalid::Truncated),
        (v2(0x21, 0x11, &v4_body(&[0x04, 0])), Invalid::Truncated),
        (v2(0x21, 0x11, &v4_body(&[0x04, 0, 2, 1])), Invalid::Truncated),
        (v2(0x21, 0x11, &v4_body(&[CRC32C, 0, 1, 1])), Invalid::Checksum),
        (with_checksum(1), Invalid::Checksum),
        (v2(0x21, 0x11, &[0; 9000]), Invalid::TooLong),
        // The length alone is enough to refuse it.
        (v2(0x20, 0x00, &[0; 9000])[..HEAD_V2].to_vec(), Invalid::TooLong),
    ] {
        assert_eq!(parse(&bytes), Err(invalid), "{}", bytes.escape_ascii());
    }
}

#[test]
fn the_checksum_is_the_one_of_rfc_9260() {
    assert_eq!(crc32c(b"123456789".iter().copied()), 0xe306_9283);
}

#[tokio::test]
async fn reading_stops_at_the_last_byte_of_the_header() {
    for header in [
        b"PROXY TCP4 192.0.2.7 198.51.100.9 56324 443\r\n".to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
        v2(0x21, 0x11, &v4_body(&[0xea, 0, 2, 1, 2])),
    ] {
        let bytes = [&header[..], b"\x16\x03\x01 TLS"].concat();
        let mut stream = bytes.as_slice();
        read(&mut stream).await.expect("a header");
        assert_eq!(stream, b"\x16\x03\x01 TLS", "{}", header.escape_ascii());
        let mut cut = &header[..header.len() - 1];
        assert!(matches!(read(&mut cut).await, Err(Error::Ended)));
    }
    assert!(matches!(read(&mut [].as_slice()).await, Err(Error::Empty)));
}

/// Beginnings that lead a parser somewhere.
const MAGICS: &[&[u8]] =
    &[b"", b"PROXY ", b"PROXY TCP4 ", b"PROXY UNKNOWN", SIGNATURE, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0"];

proptest! {
    #[test]
    fn no_beginning_makes_it_panic_or_want_more_than_a_header_can_have(
        magic in proptest::sample::select(MAGICS),
        tail in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes = [magic, &tail].concat();
        match parse(&bytes) {
            Ok(Parsed::Incomplete { needs }) => prop_assert!(needs > 0 && bytes.len() + needs <= MAX_V2),
            Ok(Parsed::Header { length, .. }) => prop_assert!(length <= bytes.len()),
            Err(_) => {}
        }
    }
}
