use super::*;
use crate::json;

fn check_name(name: &str, expected: bool) {
    assert_eq!(Redactor::default().is_redacted(name), expected, "{name}");
    assert!(!Redactor::none().is_redacted(name), "{name}");
}

#[test]
fn names_that_hold_secrets_are_redacted_however_they_are_written() {
    for name in [
        "password",
        "PASSWORD",
        "db_password",
        "x-api-key",
        "apiKey",
        "a.p_i-k e_y",
        "set-cookie",
        "access_token",
        "SSN",
        "cvv",
    ] {
        check_name(name, true);
    }
    for name in ["order_id", "tokens_used", "secretary", "passwords_checked", "", "_", "n", "key"] {
        check_name(name, false);
    }
    for name in STANDARD_FIELDS {
        check_name(name, true);
        check_name(&format!("my-{}", name.to_uppercase()), true);
    }
}

#[test]
fn own_names_are_added_to_the_standard_ones() {
    let redactor = Redactor::default().field("Customer-Email").field("straße");
    assert!(redactor.is_redacted("customer_email"));
    assert!(redactor.is_redacted("STRAßE"));
    assert!(redactor.is_redacted("password"));
    assert!(!Redactor::none().field("").is_redacted("anything"));
}

/// Looks for `text` alone, within others, and in JSON that is quoted once or twice.
fn check(text: &str, expected: &str) {
    let redactor = Redactor::standard();
    let redacted = redactor.redact(text);
    assert_eq!(redacted, expected, "{text}");
    assert_eq!(matches!(redacted, Cow::Borrowed(_)), text == expected, "{text}");
    assert_eq!(redactor.redact(&redacted), redacted, "again: {text}");
    for (before, behind) in [("", ""), ("Zürich → ", " ← 終"), ("\"", "\""), ("\n\u{2028}", "\n\\")]
    {
        let mut encoded = b"x".to_vec();
        json::string(&mut encoded, &format!("{before}{text}{behind}"));
        redactor.redact_encoded(&mut encoded, 1);
        let mut whole = b"x".to_vec();
        json::string(&mut whole, &redactor.redact(&format!("{before}{text}{behind}")));
        assert_eq!(String::from_utf8(encoded), String::from_utf8(whole), "{text}");
    }
}

/// As [`check`], with words around; `[]` stands for what replaces a secret.
fn check_all(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let expected = expected.replace("[]", REDACTED);
        check(text, &expected);
        check(&format!("Zürich: {text}\n終"), &format!("Zürich: {expected}\n終"));
        check(&format!("({text})"), &format!("({expected})"));
        check(&format!("{text} / {text}"), &format!("{expected} / {expected}"));
    }
}

fn check_unchanged(texts: &[&str]) {
    for text in texts {
        check(text, text);
        check(&format!("é{text}→"), &format!("é{text}→"));
        check(&format!("[{text}] {text}."), &format!("[{text}] {text}."));
    }
}

#[test]
fn scenario_41_email_addresses() {
    check_all(&[
        ("jane@example.com", "[]"),
        ("mail to jane.doe+tag@mail.example.co.uk.", "mail to []."),
        ("<jane@example.com>, 'joe@example.com'", "<[]>, '[]'"),
        ("jane@example.com,joe@example.com", "[],[]"),
        ("https://x.example/?q=jane%40example.com&n=1", "https://x.example/?q=[]&n=1"),
        ("mailto:jane@example.com?subject=x", "mailto:[]?subject=x"),
        ("müller@bücher.example", "[]"),
        ("x@xn--bcher-kva.xn--p1ai", "[]"),
        ("jane@example.com.1", "[].1"),
        ("jane@example.com-", "[]-"),
        ("postgres://app:hunter2@db.example.com:5432/x", "postgres://app:[]:5432/x"),
        ("_x@example.com", "[]"),
        ("jane@bücher.erö4111111111111111", "[][]"),
        ("a@b.co@c.de", "[]@c.de"),
    ]);
    check_unchanged(&[
        "jane@localhost",
        " @example.com",
        "a @ b.com",
        "jane@",
        "@",
        "image@sha256",
        "serde@1.0.219",
        "user@10.0.0.1",
        "@@@",
        "a@.com",
        "a@-b.com",
        "50%401",
        "100% of it",
    ]);
}

#[test]
fn scenario_41_payment_cards() {
    check_all(&[
        ("4111111111111111", "[]"),
        ("4111 1111 1111 1111", "[]"),
        ("4111-1111-1111-1111", "[]"),
        ("card 5555 5555 5555 4444 declined", "card [] declined"),
        ("3782 822463 10005", "[]"),
        ("378282246310005", "[]"),
        ("30569309025904", "[]"),
        ("3056 930902 5904", "[]"),
        ("6011111111111117", "[]"),
        ("3530111333300000", "[]"),
        ("2223003122003222", "[]"),
        ("4222222222222", "[]"),
        ("6304000000000000000", "[]"),
        ("6304 0000 0000 0000 000", "[]"),
        // Another number next to it.
        ("4111 1111 1111 1111 12/28", "[] 12/28"),
        ("12 4111 1111 1111 1111", "12 []"),
        ("4111111111111111-42", "[]-42"),
        ("card_4111111111111111_x", "card_[]_x"),
        ("4111111111111111.", "[]."),
    ]);
    check_unchanged(&[
        // The check digit.
        "4111111111111112",
        "4111 1111 1111 1112",
        // Not an issuer's.
        "0000000000000000",
        "1234567812345670",
        "9999999999999995",
        // A length that the issuer does not have.
        "41111111111111111",
        "411111111111116",
        // Written as no card is.
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "41 11 11 11 11 11 11 11",
        "4111 1111-1111 1111",
        "4111  1111  1111  1111",
        // Parts of something else.
        "x4111111111111111",
        "4111111111111111x",
        "0.4111111111111111",
        "4111111111111111.5",
        "+4111111111111111",
        "41111111111111110000000",
    ]);
}

#[test]
fn scenario_41_ibans() {
    check_all(&[
        ("DE89370400440532013000", "[]"),
        ("DE89 3704 0044 0532 0130 00", "[]"),
        ("GB29NWBK60161331926819", "[]"),
        ("GB29 NWBK 6016 1331 9268 19 EUR", "[] EUR"),
        ("FR1420041010050500013M02606", "[]"),
        ("NO9386011117947", "[]"),
        ("MT84MALT011000012345MTLCAST001S", "[]"),
        ("from=DE89370400440532013000;", "from=[];"),
    ]);
    check_unchanged(&[
        "DE88370400440532013000",
        "DE8937040044053201300",
        "DE893704004405320130000",
        "XX89370400440532013000",
        "XDE89370400440532013000",
        "DE89 37040044 05320130 00",
        "DE89",
        "DE89 3704",
    ]);
}

#[test]
fn scenario_41_bearer_tokens_and_basic_credentials() {
    check_all(&[
        ("Bearer 8f5c2a", "Bearer []"),
        ("bearer abc.def_ghi-1~+/==", "bearer []"),
        ("BEARER AbCdEf.", "BEARER []."),
        ("\"Bearer  8f5c\"", "\"Bearer  []\""),
        ("Bearer abcdefghijklmnopqrstuvwxyz", "Bearer []"),
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic []"),
        ("basic dTpw", "basic []"),
    ]);
    check_unchanged(&[
        "bearer authentication failed",
        "Bearer token is missing",
        "Bearer Token",
        "BEARER TOKEN",
        "the bearer of bad news",
        "Basic authentication is off",
        "basic 4711",
        "Basic QWxhZGRpbg==",
        "Bearer",
        "Bearer ",
        "forebearer 8f5c2a",
    ]);
}

#[test]
fn scenario_41_json_web_tokens() {
    let signed = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P-k";
    check_all(&[
        (signed, "[]"),
        (&format!("jwt={signed}; x"), "jwt=[]; x"),
        (&format!("{signed}."), "[]."),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "[]"),
        ("eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn", "[]"),
    ]);
    check_unchanged(&["eyJ", "eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiJ9.e30 x", "keyJa.b.c"]);
}

#[test]
fn scenario_41_aws_access_keys() {
    check_all(&[
        ("AKIAIOSFODNN7EXAMPLE", "[]"),
        ("id=ASIAIOSFODNN7EXAMPLE,", "id=[],"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG+x", "aws_secret_access_key = []"),
        ("AWS_SESSION_TOKEN=FwoGZXIvYXdzEJr//////wEaDA== x", "AWS_SESSION_TOKEN=[] x"),
        (
            "Credential=AKIAIOSFODNN7EXAMPLE/20260101/eu-west-1/s3/aws4_request",
            "Credential=[]/20260101/eu-west-1/s3/aws4_request",
        ),
    ]);
    check_unchanged(&[
        "AKIAIOSFODNN7EXAMPL",
        "AKIAIOSFODNN7EXAMPLES",
        "XAKIAIOSFODNN7EXAMPLE",
        "AROAIOSFODNN7EXAMPLE",
        "AKIAiosfodnn7example",
        "ASIA",
    ]);
}

#[test]
fn scenario_41_values_behind_the_name_of_a_secret() {
    check_all(&[
        ("password=hunter2", "password=[]"),
        ("db_password: hunter2, retries: 3", "db_password: [], retries: 3"),
        ("x-api-key : 8f5c", "x-api-key : []"),
        ("the API key: 8f5c", "the API key: []"),
        ("password => 8f5c", "password => []"),
        ("token == 8f5c", "token == []"),
        ("GET /x?token=abc&n=1", "GET /x?token=[]&n=1"),
        ("access_token=abc#top", "access_token=[]"),
        ("Server=db;Password=hun;User=x", "Server=db;Password=[];User=x"),
        // Quoted
        (r#"password="hunter 2, or 3" x=1"#, r#"password="[]" x=1"#),
        ("token='a b' c", "token='[]' c"),
        (r#"{"password":"hunter2","n":1}"#, r#"{"password":"[]","n":1}"#),
        (r#"{"password" : "a\"b\\","n":1}"#, r#"{"password" : "[]","n":1}"#),
        (r#"{"cvv":123,"n":1}"#, r#"{"cvv":[],"n":1}"#),
        (r#"{'token': 'abc', 'n': 1}"#, r#"{'token': '[]', 'n': 1}"#),
        (r#""{\"token\":\"a b\",\"n\":1}""#, r#""{\"token\":\"[]\",\"n\":1}""#),
        (r#"\"token\":\"a\\\"b\\\\\",\"n\":1"#, r#"\"token\":\"[]\",\"n\":1"#),
        (r#"\\\"token\\\":\\\"a\\\",\\\"n\\\":1"#, r#"\\\"token\\\":\\\"[]\\\",\\\"n\\\":1"#),
        (r#"{\"q\":\"password=abc\"}"#, r#"{\"q\":\"password=[]\"}"#),
        (r#"{"q":"password=abc"}"#, r#"{"q":"password=[]"}"#),
        // As `Debug` writes them
        (r#"Login { password: "hunter 2", n: 1 }"#, r#"Login { password: "[]", n: 1 }"#),
        (r#"X { token: Some("a, b"), n: 1 }"#, "X { token: [], n: 1 }"),
        (r#"X { credentials: Y { a: "}", b: [1] }, n: 1 }"#, "X { credentials: [], n: 1 }"),
        (r#"X { token: b"a b", n: 1 }"#, r#"X { token: b"[]", n: 1 }"#),
        ("X { secret: [1, 2, 3], n: 1 }", "X { secret: [], n: 1 }"),
        (r#"{"token": {"a": [1, "]"]}, "n": 1}"#, r#"{"token": [], "n": 1}"#),
        (r#"{\"token\":{\"a\":\"}\"},\"n\":1}"#, r#"{\"token\":[],\"n\":1}"#),
        // A key as a value
        ("credentials: password: hunter2, x", "credentials: [], x"),
        (r#"credentials: "password": "hunter 2", x"#, "credentials: [], x"),
        (r#"{"token":"a":1,"n":1}"#, r#"{"token":[],"n":1}"#),
        ("credentials: password = hunter2 x", "credentials: [] x"),
        ("arn:aws:x:→ password=abc x", "arn:aws:x:→ password=[] x"),
        // In groups
        ("card number: 4111 1111 1111 1111, x", "card number: [], x"),
        ("card_number=4111 1111 1111 1112 x", "card_number=[] x"),
        ("card_number=no.4111 1111 1111 1111 x", "card_number=[] x"),
        ("ssn: 078 05 1120 x", "ssn: [] x"),
        ("token: DE89 3704 0044 0532 0130 00 x", "token: [] x"),
        // Headers
        ("Authorization: Bearer abc", "Authorization: []"),
        ("authorization: Basic xyz, x", "authorization: [], x"),
        ("Authorization: Token abc x", "Authorization: [] x"),
        (r#""authorization": "Bearer abc""#, r#""authorization": "[]""#),
        ("Cookie: a=b; c=d\nHost: x", "Cookie: []\nHost: x"),
        ("Set-Cookie: id=1;x", "Set-Cookie: []"),
        // Replaced already
        ("password=[REDACTED] token=[REDACTED]", "password=[REDACTED] token=[REDACTED]"),
        ("Authorization: Bearer [REDACTED]", "Authorization: []"),
        ("password=a[b]c", "password=[]"),
    ]);
    check(
        "Authorization: AWS4-HMAC-SHA256 Credential=x/y, Signature=fe5f\nHost: x",
        "Authorization: [REDACTED]\nHost: x",
    );
    for empty in ["password=", "password: , x", "password:\nx", "password=\"\" x", "(token=)"] {
        check(empty, empty);
    }
    // What is not closed ends with the text.
    check("password=\"hunter2 and so on", "password=\"[REDACTED]");
    check("token: Some(\"hunter2", "token: [REDACTED]");
    check_unchanged(&[
        "tokens: 12",
        "tokens_used=12",
        "auth::token::refresh",
        "obs_core::secret::Key",
        "a password is needed",
        "secretary: Jane",
        "secret://vault/x",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-x1",
        "=x",
        ": x",
    ]);
}

#[test]
fn scenario_41_what_is_no_secret_stays() {
    check_unchanged(&[
        "",
        "order 4711 accepted",
        "8f14e45f-ceea-467f-a8ce-1a2b3c4d5e6f",
        "12345678-1234-4234-8234-123456789012",
        "1-5759e988-bd862e3fe1be46a994272793",
        "5759e988bd862e3fe1be46a994272793",
        "2026-11-21T12:30:00.125Z",
        "12:30:00",
        "1795264200125",
        "1795264200125000000",
        "127.0.0.1:8080",
        "[::1]:8080",
        "a::b::c",
        "tests/logging/line.rs:42:7",
        "arn:aws:sns:eu-west-1:123456789012:topic",
        "took 12.5 ms, 3 retries, ratio=0.75",
        "C:\\Users\\x",
        "https://example.com/a?b=c&d=1#e",
        "Order { id: 4711, state: Open }",
        "0x1f, 1e-7, 3.141592653589793",
        "SGVsbG8gd29ybGQ=",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    ]);
}

#[test]
fn scenario_41_several_in_one_text() {
    check(
        "jane@example.com paid with 4111 1111 1111 1111 (token=x, DE89370400440532013000)",
        "[REDACTED] paid with [REDACTED] (token=[REDACTED], [REDACTED])",
    );
    check("a@b.de a@b.de", "[REDACTED] [REDACTED]");
}

#[test]
fn patterns_are_switched_one_by_one() {
    let text = "jane@example.com 4111111111111111 Bearer 8f5c AKIAIOSFODNN7EXAMPLE eyJa.b.c \
                DE89370400440532013000 token=x";
    let all = [
        (Pattern::Email, "jane@example.com"),
        (Pattern::Card, "4111111111111111"),
        (Pattern::Bearer, "8f5c"),
        (Pattern::AwsKey, "AKIAIOSFODNN7EXAMPLE"),
        (Pattern::Jwt, "eyJa.b.c"),
        (Pattern::Iban, "DE89370400440532013000"),
        (Pattern::KeyValue, "token=x"),
    ];
    for (pattern, secret) in all {
        let only = Redactor::default().pattern(pattern);
        assert!(only.scans_text());
        let replaced = if secret == "token=x" { "token=[REDACTED]" } else { REDACTED };
        assert_eq!(only.redact(text), text.replace(secret, replaced), "{pattern:?}");
        let others = Redactor::standard().without(pattern);
        assert!(others.redact(text).contains(secret), "{pattern:?}");
        assert!(!only.without(pattern).scans_text());
    }
    assert!(matches!(Redactor::default().redact(text), Cow::Borrowed(_)));
    let own = Redactor::none().field("Größe").pattern(Pattern::KeyValue);
    assert_eq!(
        own.redact("größe: 1, GRößE=2 password=x"),
        "größe: [REDACTED], GRößE=[REDACTED] password=x"
    );
}

#[test]
fn what_is_not_a_json_string_stays_as_it_is() {
    for json in
        ["4111111111111111", "", "\"", "{\"a\":\"a@b.de\"}", "[\"a@b.de\"]", r#""a@b.de\x""#]
    {
        let mut out = json.as_bytes().to_vec();
        Redactor::standard().redact_encoded(&mut out, 0);
        assert_eq!(String::from_utf8(out).unwrap(), json);
    }
}

#[test]
fn escapes_of_other_writers_are_read() {
    let mut out = br#""\u006aane\u0040example.com \ud83d\ude00 \/ \u00e9""#.to_vec();
    Redactor::standard().redact_encoded(&mut out, 0);
    // Nothing was noticed, since `@` is escaped; our own writer escapes it nowhere.
    assert_eq!(out, br#""\u006aane\u0040example.com \ud83d\ude00 \/ \u00e9""#);
    let mut out = br#""\u006aane@example.com \ud83d\ude00 \/ \u00e9\b\f""#.to_vec();
    Redactor::standard().redact_encoded(&mut out, 0);
    assert_eq!(String::from_utf8(out).unwrap(), "\"[REDACTED] 😀 / é\\b\\f\"");
}
