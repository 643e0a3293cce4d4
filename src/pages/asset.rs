//! Stylesheet and icon, embedded.
//!
//! Each is served under a name that holds a hash of its content, so that browsers
//! may keep it forever (RFC 8246) and still see the next version's at once.
//! Replicas of different versions each know only their own names; for the moment
//! of a roll-out a page may come without its style.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use http::{HeaderName, HeaderValue, header};

/// A file that a page needs.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its content.
    pub bytes: &'static [u8],
    content_type: &'static str,
}

impl Asset {
    /// What its answer carries besides the content.
    pub fn headers(&self) -> [(HeaderName, HeaderValue); 3] {
        [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.content_type)),
            (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ]
    }
}

const STYLESHEET: Asset =
    Asset { bytes: include_bytes!("assets/vestibule.css"), content_type: "text/css; charset=utf-8" };
const ICON: Asset = Asset { bytes: include_bytes!("assets/icon.svg"), content_type: "image/svg+xml" };

/// The assets under their public names.
#[derive(Debug)]
pub(super) struct Assets {
    stylesheet: String,
    icon: String,
}

impl Assets {
    pub(super) fn new() -> Self {
        Self { stylesheet: hashed_name("vestibule", STYLESHEET, "css"), icon: hashed_name("icon", ICON, "svg") }
    }

    pub(super) fn stylesheet(&self) -> &str {
        &self.stylesheet
    }

    pub(super) fn icon(&self) -> &str {
        &self.icon
    }

    pub(super) fn get(&self, name: &str) -> Option<Asset> {
        if name == self.stylesheet {
            Some(STYLESHEET)
        } else if name == self.icon {
            Some(ICON)
        } else {
            None
        }
    }
}

fn hashed_name(stem: &str, asset: Asset, extension: &str) -> String {
    let hash = HEXLOWER.encode(&digest(&SHA256, asset.bytes).as_ref()[..8]);
    format!("{stem}-{hash}.{extension}")
}
