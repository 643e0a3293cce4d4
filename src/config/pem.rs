//! Certificates and keys that the configuration names, in PEM (RFC 7468).
//!
//! They are read with the configuration and are part of it: a certificate without its
//! key is a fault with a place, and not a listener that fails later; and one that was
//! renewed is a changed configuration like any other.

use std::{path::PathBuf, time::Duration};

use rustls::{
    RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, PrivateKeyDer, UnixTime,
        pem::{self, PemObject as _},
    },
    sign::CertifiedKey,
};
use time::OffsetDateTime;
use webpki::{EndEntityCert, KeyUsage};

use crate::{
    clock::Clock,
    config::{
        fault::{Fault, Place},
        section::{Placed, Reading, Section, show_path},
        server::TlsIdentity,
    },
    secret::Secret,
};

/// `ca_file`: certificates trusted beside the system's; none where the key is not set.
pub(super) fn read_roots(section: &Section<'_>, key: &'static str) -> Reading<Vec<CertificateDer<'static>>> {
    match section.path(key)? {
        Some(path) => read_certificates(section, key, &path),
        None => Ok(Vec::new()),
    }
}

/// The authorities in the file of a key, known to be usable; `None` where the key is not set.
pub(super) fn read_authorities(
    section: &Section<'_>,
    key: &'static str,
) -> Reading<Option<Vec<CertificateDer<'static>>>> {
    let Some(path) = section.path(key)? else { return Ok(None) };
    let mut roots = RootCertStore::empty();
    let authorities = read_certificates(section, key, &path)?;
    for certificate in &authorities {
        roots.add(certificate.clone()).map_err(|error| {
            section.report().add(
                Fault::at(path.place, format!("the file of `{key}` holds a certificate that cannot be used: {error}"))
                    .label(format!("read as {}", show_path(&path))),
            )
        })?;
    }
    Ok(Some(authorities))
}

/// `certificate` and `private_key`, which belong together.
pub(super) fn read_identity(section: &Section<'_>) -> Reading<TlsIdentity> {
    let certificate = required_path(section, "certificate");
    let private_key = required_path(section, "private_key");
    let chain = certificate.as_ref().map_err(|r| *r).and_then(|path| read_certificates(section, "certificate", path));
    let key = private_key.as_ref().map_err(|r| *r).and_then(|path| read_private_key(section, path));
    let (certificate, private_key, chain, key) = (certificate?, private_key?, chain?, key?);
    check_validity(section, &chain, certificate.place);
    match CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()) {
        Ok(pair) => Ok(TlsIdentity::new(pair)),
        Err(rustls::Error::InconsistentKeys(_)) => Err(section.report().add(
            Fault::at(private_key.place, "`private_key` does not belong to the certificate")
                .related(certificate.place, "this certificate has another public key")
                .help("the certificate's file begins with the leaf, which must be the one made for this key"),
        )),
        Err(error) => {
            Err(section.report().add(Fault::at(private_key.place, format!("TLS cannot use `private_key`: {error}"))))
        }
    }
}

/// Warns of a leaf that no visitor's browser would take today. It is no fault: a renewal may come after the start, and
/// without any certificate nobody could be told what is wrong.
fn check_validity(section: &Section<'_>, chain: &[CertificateDer<'_>], place: Place) {
    let Some(leaf) = chain.first().and_then(|leaf| EndEntityCert::try_from(leaf).ok()) else { return };
    let seconds = Clock::system().now().as_unix();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds.try_into().unwrap_or(0)));
    // Without authorities no chain can be good; the days are looked at first.
    let told = match leaf.verify_for_usage(&[], &[], &[], now, KeyUsage::server_auth(), None, None) {
        Err(webpki::Error::CertExpired { not_after, .. }) => format!("ended on {}", show_day(not_after)),
        Err(webpki::Error::CertNotValidYet { not_before, .. }) => format!("begins on {}", show_day(not_before)),
        Ok(_) | Err(_) => return,
    };
    section.report().warn(Some(place), format_args!("the certificate {told}: whoever is shown it refuses it"));
}

/// A day as people write it (RFC 3339 §5.6, the date alone).
fn show_day(time: UnixTime) -> String {
    let day = i64::try_from(time.as_secs()).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    day.map_or_else(|| "no day".to_owned(), |day| day.date().to_string())
}

fn required_path(section: &Section<'_>, key: &'static str) -> Reading<Placed<PathBuf>> {
    section.path(key)?.ok_or_else(|| {
        section.report().add(
            section
                .fault(&[key], format!("`{key}` is missing"))
                .help("TLS needs `certificate` and `private_key`, both PEM files")
                .absence(section.place(), &[key]),
        )
    })
}

fn read_certificates(
    section: &Section<'_>,
    key: &str,
    path: &Placed<PathBuf>,
) -> Reading<Vec<CertificateDer<'static>>> {
    let text = section.read_file(key, path)?;
    let problem = match CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>() {
        Ok(certificates) if certificates.is_empty() => "holds no certificate in PEM",
        Ok(certificates) => return Ok(certificates),
        Err(_) => "is damaged PEM",
    };
    let fault =
        Fault::at(path.place, format!("the file of `{key}` {problem}")).label(format!("read as {}", show_path(path)));
    Err(section.report().add(fault.help("it must have blocks that begin with -----BEGIN CERTIFICATE-----")))
}

fn read_private_key(section: &Section<'_>, path: &Placed<PathBuf>) -> Reading<PrivateKeyDer<'static>> {
    let text = Secret::new(section.read_file("private_key", path)?);
    let problem = match PrivateKeyDer::from_pem_slice(text.expose().as_bytes()) {
        Ok(key) => return Ok(key),
        Err(_) if text.expose().contains("ENCRYPTED") => {
            "holds an encrypted key, and nobody is there to type its passphrase at start"
        }
        Err(pem::Error::NoItemsFound) => "holds no private key in PEM",
        Err(_) => "is damaged PEM",
    };
    let fault = Fault::at(path.place, format!("the file of `private_key` {problem}"));
    let fault = fault.label(format!("read as {}", show_path(path)));
    Err(section.report().add(fault.help("it must have one block: PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY")))
}
