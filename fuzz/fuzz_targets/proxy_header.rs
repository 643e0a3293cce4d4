#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vestibule::fuzzing::run("proxy_header", bytes));
