//! A certificate for an address, signed by itself: who is told of the file trusts it.

use std::{fs, net::IpAddr, path::Path};

use rcgen::{CertificateParams, KeyPair};

/// Writes `tls.crt` and `tls.key` into a folder.
pub(crate) fn certificate(folder: &Path, address: IpAddr) {
    let made = "an address makes a valid certificate";
    let key = KeyPair::generate().expect(made);
    let params = CertificateParams::new([address.to_string()]).expect(made);
    let certificate = params.self_signed(&key).expect(made);
    fs::write(folder.join("tls.crt"), certificate.pem()).expect("a file in a folder of our own");
    fs::write(folder.join("tls.key"), key.serialize_pem()).expect("a file in a folder of our own");
}
