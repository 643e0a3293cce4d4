use super::*;
use crate::{
    config::{
        Access, Condition, Route, RouteAccess, Written,
        access::{PathPattern, SegmentPattern},
    },
    identity::{EmailAddress, EmailTrust, Issuer, Subject},
};

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

fn email(text: &str) -> Condition {
    Condition { email: Some(EmailAddress::parse(text).expect(text)), ..Condition::default() }
}

fn group(name: &str) -> Condition {
    Condition { group: Some(name.to_owned()), ..Condition::default() }
}

fn ip(network: &str) -> Condition {
    Condition { ip: Some(network.parse().expect(network)), ..Condition::default() }
}

fn access(policy: Policy, allow: &[Condition], deny: &[Condition]) -> Access {
    Access { policy, allow: allow.to_vec(), deny: deny.to_vec(), written: Written::default() }
}

/// One segment and what is below it.
fn route(segment: &str, access: RouteAccess) -> Route {
    let path = PathPattern { segments: vec![SegmentPattern::Literal(segment.to_owned())], and_below: true };
    Route { path, methods: None, access, written: Written::default() }
}

fn narrowed(allow: &[Condition], deny: &[Condition]) -> RouteAccess {
    let allow = (!allow.is_empty()).then(|| allow.to_vec());
    RouteAccess::Narrowed(Narrowing { allow, deny: deny.to_vec() })
}

fn with_routes(access: &Access, routes: &[Route]) -> AppRules {
    AppRules::new(access, routes, vec![ProviderId::new("company")])
}

fn rules(policy: Policy, allow: &[Condition], deny: &[Condition]) -> AppRules {
    with_routes(&access(policy, allow, deny), &[route("open", RouteAccess::Public)])
}

fn demand(rules: &AppRules, path: &str) -> Demand {
    rules.demand(&Method::GET, &Target::parse(&path.parse().expect(path)).expect(path))
}

fn visitor(provider: &str, trust: EmailTrust) -> Visitor {
    Visitor {
        provider: ProviderId::new(provider),
        issuer: Issuer::new("https://id.example.com"),
        subject: Subject::new("248289761001"),
        user: None,
        email: EmailAddress::parse("ann@example.com").ok(),
        email_trust: trust,
        name: None,
        preferred_username: None,
        groups: vec!["staff".to_owned()],
        claims: Vec::new(),
    }
}

/// What becomes of somebody at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Known,
    Anonymous,
    Anybody,
    SignIn,
    Refused(Denial),
}

fn fate_from(rules: &AppRules, path: &str, client: IpAddr, visitor: Option<&Visitor>) -> Fate {
    let ended = Ended::default();
    let standing = visitor.map(|visitor| rules.judge(visitor));
    let guest = visitor.zip(standing.as_ref());
    let guest = guest.map(|(visitor, standing)| SignedIn { visitor, standing, ended: &ended });
    let demand = demand(rules, path);
    let fate = |decision: Decision<'_>| match decision {
        Decision::Permit(permit) => match permit.holder() {
            Holder::Session(_) => Fate::Known,
            Holder::Anonymous => Fate::Anonymous,
            Holder::Anybody => Fate::Anybody,
        },
        Decision::SignIn => Fate::SignIn,
        Decision::Deny(denial) => Fate::Refused(denial),
    };
    let first = fate(rules.decide(&demand, client, guest));
    // What a session remembers says the same.
    assert_eq!(fate(rules.decide(&demand, client, guest)), first);
    first
}

fn fate(rules: &AppRules, path: &str, visitor: Option<&Visitor>) -> Fate {
    fate_from(rules, path, CLIENT, visitor)
}

fn denial(rules: &AppRules, visitor: &Visitor) -> Option<Denial> {
    match fate(rules, "/", Some(visitor)) {
        Fate::Known => None,
        Fate::Refused(denial) => Some(denial),
        other => panic!("somebody is signed in: {other:?}"),
    }
}

#[test]
fn the_policy_has_the_last_word_and_deny_the_first() {
    use Denial::{Denied, EmailNotVerified, NotListed, ProviderNotOfThisApp};
    use EmailTrust::{Trusted, Untrusted};
    use Policy::{Anyone, Listed};
    let ann = || email("ann@example.com");
    for (policy, allow, deny, provider, trust, expected) in [
        (Anyone, vec![], vec![], "company", Trusted, None),
        (Anyone, vec![], vec![], "company", Untrusted, None),
        (Anyone, vec![], vec![], "other", Trusted, Some(ProviderNotOfThisApp)),
        (Anyone, vec![], vec![group("staff")], "company", Trusted, Some(Denied)),
        (Anyone, vec![], vec![ip("192.0.2.0/24")], "company", Trusted, Some(Denied)),
        (Anyone, vec![], vec![ip("10.0.0.0/8")], "company", Trusted, None),
        // an unverified address is no way around `deny`
        (Anyone, vec![], vec![ann()], "company", Trusted, Some(Denied)),
        (Anyone, vec![], vec![ann()], "company", Untrusted, Some(Denied)),
        (Listed, vec![], vec![], "company", Trusted, Some(NotListed)),
        (Listed, vec![ann()], vec![], "company", Trusted, None),
        (Listed, vec![ann()], vec![], "company", Untrusted, Some(EmailNotVerified)), // threat 95
        (Listed, vec![ann()], vec![], "other", Trusted, Some(ProviderNotOfThisApp)),
        (Listed, vec![ann(), group("staff")], vec![], "company", Untrusted, None),
        (Listed, vec![email("bob@example.com")], vec![], "company", Trusted, Some(NotListed)),
        (Listed, vec![email("bob@example.com")], vec![], "company", Untrusted, Some(NotListed)),
        (Listed, vec![group("admins")], vec![], "company", Trusted, Some(NotListed)), // CVE-2021-21411
        (Listed, vec![ip("192.0.2.7/32")], vec![], "company", Trusted, None),
        (Listed, vec![ann()], vec![group("staff")], "company", Trusted, Some(Denied)),
    ] {
        let case = format!("{policy:?} {allow:?} {deny:?} {provider} {trust:?}");
        assert_eq!(denial(&rules(policy, &allow, &deny), &visitor(provider, trust)), expected, "{case}");
    }
}

#[test]
fn who_is_not_signed_in_is_sent_to_sign_in_but_from_public_routes() {
    for rules in [rules(Policy::Anyone, &[], &[]), rules(Policy::Listed, &[], &[ip("0.0.0.0/0")])] {
        assert_eq!(fate(&rules, "/", None), Fate::SignIn);
        assert_eq!(fate(&rules, "/open", None), Fate::Anybody);
        assert!(demand(&rules, "/").looks_at_sessions() && !demand(&rules, "/open").looks_at_sessions());
    }
}

#[test]
fn a_public_route_ignores_the_session_whatever_it_is() {
    let rules = rules(Policy::Listed, &[], &[group("staff")]);
    for provider in ["company", "other"] {
        assert_eq!(fate(&rules, "/open", Some(&visitor(provider, EmailTrust::Trusted))), Fate::Anybody);
    }
}

#[test]
fn an_optional_route_knows_whom_the_policy_admits_and_lets_the_others_pass_as_anonymous() {
    let access = access(Policy::Listed, &[email("ann@example.com")], &[ip("198.51.100.0/24")]);
    let rules = with_routes(&access, &[route("open", RouteAccess::Optional)]);
    let ann = visitor("company", EmailTrust::Trusted);
    for (visitor, client, expected) in [
        (None, "192.0.2.7", Fate::Anonymous),
        (Some(&ann), "192.0.2.7", Fate::Known),
        (Some(&ann), "198.51.100.7", Fate::Anonymous),
        (Some(&visitor("company", EmailTrust::Untrusted)), "192.0.2.7", Fate::Anonymous),
        (Some(&visitor("other", EmailTrust::Trusted)), "192.0.2.7", Fate::Anonymous),
    ] {
        let client = client.parse().expect(client);
        assert_eq!(fate_from(&rules, "/open/x", client, visitor), expected, "{visitor:?} {client}");
    }
    assert!(demand(&rules, "/open/x").looks_at_sessions());
}

#[test]
fn a_word_is_that_policy_for_its_path_and_deny_still_wins() {
    use Denial::{Denied, NotListed, ProviderNotOfThisApp};
    let ann = visitor("company", EmailTrust::Trusted);
    let bob = Visitor { email: EmailAddress::parse("bob@example.com").ok(), ..ann.clone() };
    let foreign = visitor("other", EmailTrust::Trusted);
    let routes =
        [route("anyone", RouteAccess::Policy(Policy::Anyone)), route("listed", RouteAccess::Policy(Policy::Listed))];
    for (policy, path, expected) in [
        (Policy::Listed, "/", [Fate::Known, Fate::Refused(NotListed), Fate::Refused(ProviderNotOfThisApp)]),
        (Policy::Listed, "/listed", [Fate::Known, Fate::Refused(NotListed), Fate::Refused(ProviderNotOfThisApp)]),
        (Policy::Listed, "/anyone", [Fate::Known, Fate::Known, Fate::Refused(ProviderNotOfThisApp)]),
        (Policy::Anyone, "/", [Fate::Known, Fate::Known, Fate::Refused(ProviderNotOfThisApp)]),
        (Policy::Anyone, "/listed", [Fate::Known, Fate::Refused(NotListed), Fate::Refused(ProviderNotOfThisApp)]),
        (Policy::Anyone, "/anyone", [Fate::Known, Fate::Known, Fate::Refused(ProviderNotOfThisApp)]),
    ] {
        let rules = with_routes(&access(policy, &[email("ann@example.com")], &[]), &routes);
        let found = [&ann, &bob, &foreign].map(|visitor| fate(&rules, path, Some(visitor)));
        assert_eq!(found, expected, "{policy:?} {path}");
        assert_eq!(fate(&rules, path, None), Fate::SignIn);
        let denying = with_routes(&access(policy, &[email("ann@example.com")], &[group("staff")]), &routes);
        assert_eq!(fate(&denying, path, Some(&ann)), Fate::Refused(Denied), "{policy:?} {path}");
    }
}

#[test]
fn a_table_admits_whom_the_policy_admits_and_its_conditions_let_pass() {
    use Denial::{DeniedByRoute, EmailNotVerified, NotListed, NotListedForRoute};
    let ann = visitor("company", EmailTrust::Trusted);
    let bob = Visitor {
        email: EmailAddress::parse("bob@example.com").ok(),
        groups: vec!["guests".to_owned()],
        ..ann.clone()
    };
    let eve = Visitor { email: EmailAddress::parse("eve@elsewhere.example").ok(), ..ann.clone() };
    let unverified = Visitor { email_trust: EmailTrust::Untrusted, groups: Vec::new(), ..ann.clone() };
    let access = access(Policy::Listed, &[email("ann@example.com"), email("bob@example.com")], &[]);
    for (table, expected) in [
        (narrowed(&[group("staff")], &[]), [None, Some(NotListedForRoute), Some(NotListed)]),
        (narrowed(&[group("staff"), group("guests")], &[]), [None, None, Some(NotListed)]),
        (narrowed(&[], &[group("staff")]), [Some(DeniedByRoute), None, Some(NotListed)]),
        (
            narrowed(&[group("staff")], &[email("ann@example.com")]),
            [Some(DeniedByRoute), Some(NotListedForRoute), Some(NotListed)],
        ),
        (narrowed(&[ip("192.0.2.0/24")], &[]), [None, None, Some(NotListed)]),
        (narrowed(&[ip("10.0.0.0/8")], &[]), [Some(NotListedForRoute), Some(NotListedForRoute), Some(NotListed)]),
        (narrowed(&[], &[ip("192.0.2.7/32")]), [Some(DeniedByRoute), Some(DeniedByRoute), Some(NotListed)]),
    ] {
        let rules = with_routes(&access, &[route("part", table.clone())]);
        let expected = expected.map(|denial| denial.map_or(Fate::Known, Fate::Refused));
        let found = [&ann, &bob, &eve].map(|visitor| fate(&rules, "/part/x", Some(visitor)));
        assert_eq!(found, expected, "{table:?}");
        assert_eq!(fate(&rules, "/part", None), Fate::SignIn);
        assert_eq!(fate(&rules, "/elsewhere", Some(&ann)), Fate::Known);
    }
    let everybody = self::access(Policy::Anyone, &[], &[]);
    let rules = with_routes(&everybody, &[route("part", narrowed(&[email("ann@example.com")], &[]))]);
    assert_eq!(fate(&rules, "/part", Some(&unverified)), Fate::Refused(EmailNotVerified), "threat 95");
    let rules = with_routes(&everybody, &[route("part", narrowed(&[], &[email("ann@example.com")]))]);
    assert_eq!(fate(&rules, "/part", Some(&unverified)), Fate::Refused(DeniedByRoute));
}

#[test]
fn of_two_routes_for_two_readings_both_must_let_pass() {
    let ann = visitor("company", EmailTrust::Trusted);
    let both = Visitor { groups: vec!["staff".to_owned(), "ops".to_owned()], ..ann.clone() };
    let routes = [route("a", narrowed(&[group("staff")], &[])), route("b", narrowed(&[group("ops")], &[]))];
    let rules = with_routes(&access(Policy::Anyone, &[], &[]), &routes);
    for (path, of_ann) in [
        ("/a/x", Fate::Known),
        ("/b/x", Fate::Refused(Denial::NotListedForRoute)),
        ("/a/..%2fb/x", Fate::Refused(Denial::NotListedForRoute)),
        ("/b/..%2fa/x", Fate::Refused(Denial::NotListedForRoute)),
        ("/x/..%2fa/x", Fate::Known),
    ] {
        assert_eq!(fate(&rules, path, Some(&ann)), of_ann, "{path}");
        assert_eq!(fate(&rules, path, Some(&both)), Fate::Known, "{path}");
    }
}

#[test]
fn equal_tables_are_one_and_more_than_a_session_remembers_are_judged_all_the_same() {
    let ann = visitor("company", EmailTrust::Trusted);
    let table = |n: usize| {
        narrowed(&[group(if n.is_multiple_of(2) { "staff" } else { "none" }), email(&format!("x{n}@example.com"))], &[])
    };
    let routes: Vec<_> = (0..600).map(|n| route(&format!("r{n}"), table(n % 400))).collect();
    let rules = with_routes(&access(Policy::Anyone, &[], &[]), &routes);
    assert_eq!(rules.tables.len(), 400);
    for n in [0, 1, 255, 256, 257, 399, 400, 599] {
        let expected = if n % 2 == 0 { Fate::Known } else { Fate::Refused(Denial::NotListedForRoute) };
        assert_eq!(fate(&rules, &format!("/r{n}"), Some(&ann)), expected, "{n}");
    }
}

#[test]
fn a_permit_ends_with_the_session_that_it_was_given_to() {
    let rules = rules(Policy::Anyone, &[], &[]);
    let (visitor, ended) = (visitor("company", EmailTrust::Trusted), Ended::default());
    let guest = SignedIn { visitor: &visitor, standing: &rules.judge(&visitor), ended: &ended };
    let Decision::Permit(permit) = rules.decide(&demand(&rules, "/"), CLIENT, Some(guest)) else {
        panic!("anyone may pass");
    };
    let end = permit.session_end().expect("a session's permit");
    assert!(!end.is_ended());
    ended.end();
    assert!(end.is_ended());
}

#[test]
fn a_route_opens_its_path_and_nothing_beside_it() {
    let rules = rules(Policy::Anyone, &[], &[]);
    for (path, route) in [
        ("/open", Some(0)),
        ("/open?x=/secret", Some(0)),
        ("/open/x", Some(0)),
        ("/openx", None),
        ("/secret?/open", None),
    ] {
        assert_eq!(demand(&rules, path).route(), route, "{path}");
    }
}

#[test]
fn threat_64_method_overrides_are_dropped_where_a_rule_names_methods() {
    let access = access(Policy::Anyone, &[], &[]);
    for (methods, overrides) in
        [(None, MethodOverrides::Pass), (Some(vec![Method::GET, Method::HEAD]), MethodOverrides::Drop)]
    {
        let route = Route { methods, ..route("open", RouteAccess::Public) };
        assert_eq!(AppRules::new(&access, &[route], Vec::new()).method_overrides(), overrides);
    }
}
