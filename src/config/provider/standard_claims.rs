//! The claims that OpenID Connect names, and the scope that asks for each.

/// Standard claims and the scope that asks for them (Core §5.4).
const STANDARD_CLAIMS: [(&str, &[&str]); 4] = [
    (
        "profile",
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
    ),
    ("email", &["email", "email_verified"]),
    ("address", &["address"]),
    ("phone", &["phone_number", "phone_number_verified"]),
];

/// The scope without which a provider would not give this claim, if there is one.
pub fn standard_scope(path: &str) -> Option<&'static str> {
    let claim = path.split('.').next().unwrap_or(path);
    STANDARD_CLAIMS.iter().find(|(_, claims)| claims.contains(&claim)).map(|(scope, _)| *scope)
}
