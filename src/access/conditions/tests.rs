use serde_json::json;

use super::*;
use crate::identity::{EmailDomain, EmailTrust, Issuer, Subject};

fn visitor(email: &str) -> Visitor {
    Visitor {
        provider: ProviderId::new("company"),
        issuer: Issuer::new("https://id.example.com"),
        subject: Subject::new("248289761001"),
        user: None,
        email: EmailAddress::parse(email).ok(),
        email_trust: EmailTrust::Trusted,
        name: None,
        preferred_username: None,
        groups: vec!["staff".to_owned(), "Wiki, Admins".to_owned()],
        claims: vec![
            ("hd".to_owned(), json!("example.com")),
            ("tenant.id".to_owned(), json!(42)),
            ("employee".to_owned(), json!(true)),
            ("roles".to_owned(), json!(["reader", 7, false, ["nested"], {"a": 1}])),
            ("address".to_owned(), json!({"country": "DE"})),
            ("nothing".to_owned(), Value::Null),
        ],
    }
}

fn email(text: &str) -> Condition {
    Condition { email: Some(EmailAddress::parse(text).expect(text)), ..Condition::default() }
}

fn domain(text: &str) -> Condition {
    let domain = |text| EmailDomain::parse(text).expect(text);
    let pattern = match text.strip_prefix("*.") {
        Some(parent) => DomainPattern::Below(domain(parent)),
        None => DomainPattern::Exact(domain(text)),
    };
    Condition { email_domain: Some(pattern), ..Condition::default() }
}

fn group(name: &str) -> Condition {
    Condition { group: Some(name.to_owned()), ..Condition::default() }
}

fn claim(claim: &str, is: &str) -> Condition {
    let claim = ClaimCondition { claim: claim.to_owned(), is: is.to_owned() };
    Condition { claim: Some(claim), ..Condition::default() }
}

fn ip(network: &str) -> Condition {
    Condition { ip: Some(network.parse().expect(network)), ..Condition::default() }
}

fn at(provider: &str, condition: Condition) -> Condition {
    Condition { provider: Some(ProviderId::new(provider)), ..condition }
}

fn both(a: Condition, b: Condition) -> Condition {
    Condition {
        provider: a.provider.or(b.provider),
        email: a.email.or(b.email),
        email_domain: a.email_domain.or(b.email_domain),
        group: a.group.or(b.group),
        claim: a.claim.or(b.claim),
        ip: a.ip.or(b.ip),
        written: a.written,
    }
}

fn match_any(conditions: &[Condition], visitor: &Visitor, client: &str) -> bool {
    let client = client.parse().expect(client);
    Conditions::compile(conditions).find(Facts { visitor, email: visitor.email.as_ref(), client }).is_some()
}

#[test]
fn each_key_matches_what_it_says_alone_and_in_company() {
    for (condition, matching) in [
        (email("Ann@Example.com"), true),
        (email("ann+x@example.com"), false),
        (domain("example.com"), true),
        (domain("mail.example.com"), false),
        (domain("*.example.com"), false),
        (domain("com"), false),
        (domain("*.com"), true),
        (group("staff"), true),
        (group("Staff"), false),
        (group("Wiki, Admins"), true),
        (group("Admins"), false),
        (claim("hd", "example.com"), true),
        (claim("hd", "example"), false),
        (claim("tenant.id", "42"), true),
        (claim("tenant.id", "4"), false),
        (claim("employee", "true"), true),
        (claim("employee", "false"), false),
        (claim("roles", "reader"), true),
        (claim("roles", "7"), true),
        (claim("roles", "false"), true),
        (claim("roles", "nested"), false),
        (claim("roles", "read"), false),
        (claim("address", "DE"), false),
        (claim("nothing", ""), false),
        (claim("nothing", "null"), false),
        (claim("absent", ""), false),
        (ip("192.0.2.0/24"), true),
        (ip("192.0.2.7/32"), true),
        (ip("198.51.100.0/24"), false),
        (ip("::/0"), false),
    ] {
        let ann = visitor("ann@example.COM");
        // A key of another kind, to combine with: one that holds, one that does not.
        let (true_too, not_true) = match condition.group {
            None => (group("staff"), group("none")),
            Some(_) => (email("ann@example.com"), email("x@y.z")),
        };
        for (conditions, expected) in [
            (vec![condition.clone()], matching),
            (vec![email("x@y.z"), condition.clone(), group("none")], matching),
            (vec![at("company", condition.clone())], matching),
            (vec![at("other", condition.clone())], false),
            (vec![both(condition.clone(), true_too.clone())], matching),
            (vec![both(condition.clone(), not_true)], false),
            (vec![at("company", both(condition.clone(), true_too.clone()))], matching),
            (vec![at("other", both(condition.clone(), true_too))], false),
        ] {
            assert_eq!(match_any(&conditions, &ann, "192.0.2.7"), expected, "{conditions:?}");
        }
    }
}

#[test]
fn a_condition_that_says_nothing_matches_nobody() {
    for condition in [Condition::default(), at("company", Condition::default())] {
        assert!(!match_any(&[condition], &visitor("ann@example.com"), "192.0.2.7"));
    }
}

#[test]
fn domains_end_at_dots() {
    for (pattern, address, matching) in [
        ("corp.com", "a@corp.com", true),
        ("corp.com", "a@evilcorp.com", false), // CVE-2021-21291
        ("corp.com", "a@corp.com.evil.example", false),
        ("corp.com", "a@sub.corp.com", false),
        ("*.corp.com", "a@sub.corp.com", true),
        ("*.corp.com", "a@Deep.Sub.CORP.com", true),
        ("*.corp.com", "a@corp.com", false),
        ("*.corp.com", "a@evilcorp.com", false), // CVE-2021-21291
        ("*.corp.com", "a@x.evilcorp.com", false),
    ] {
        let visitor = visitor(address);
        assert_eq!(match_any(&[domain(pattern)], &visitor, "::1"), matching, "{pattern} {address}");
        let combined = both(domain(pattern), group("staff"));
        assert_eq!(match_any(&[combined], &visitor, "::1"), matching, "{pattern} {address}, combined");
    }
}

#[test]
fn an_address_that_does_not_count_matches_nothing() {
    let visitor = visitor("ann@example.com");
    let facts = Facts { visitor: &visitor, email: None, client: [127, 0, 0, 1].into() };
    for condition in [email("ann@example.com"), domain("example.com"), both(email("ann@example.com"), group("staff"))] {
        assert_eq!(Conditions::compile(&[condition]).find(facts), None);
    }
}

#[test]
fn networks_may_overlap_and_come_in_any_order() {
    let networks = ["10.9.0.0/16", "10.0.0.0/8", "192.0.2.128/25", "192.0.2.0/25", "2001:db8::/32", "0.0.0.0/32"];
    let conditions: Vec<_> = networks.into_iter().map(ip).collect();
    for (address, inside) in [
        ("10.0.0.0", true),
        ("10.9.1.1", true),
        ("10.255.255.255", true),
        ("11.0.0.0", false),
        ("9.255.255.255", false),
        ("192.0.2.1", true),
        ("192.0.2.255", true),
        ("192.0.3.0", false),
        ("0.0.0.0", true),
        ("0.0.0.1", false),
        ("2001:db8::7", true),
        ("2001:db9::", false),
        ("::1", false),
    ] {
        assert_eq!(match_any(&conditions, &visitor("a@b.c"), address), inside, "{address}");
    }
}

#[test]
fn a_thousand_entries_find_the_last_one() {
    let mut conditions: Vec<_> = (0..1000).map(|n| email(&format!("user{n}@example.com"))).collect();
    conditions.extend((0..250).map(|n| ip(&format!("10.{n}.0.0/16"))));
    assert!(match_any(&conditions, &visitor("USER999@example.com"), "::1"));
    assert!(match_any(&conditions, &visitor("x@example.com"), "10.249.0.1"));
    assert!(!match_any(&conditions, &visitor("user1000@example.com"), "10.250.0.1"));
}
