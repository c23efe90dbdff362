//! The bytes of a 201 and of the problems, as openbell writes them.

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};

use crate::admission::{Code, Told};
use crate::settings::Settings;
use crate::timestamp::rfc3339;

pub type Answer = Response<Full<Bytes>>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const BEARER: HeaderValue = HeaderValue::from_static("Bearer");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const TRUE: HeaderValue = HeaderValue::from_static("true");
const BODY_CAPACITY: usize = 512;

struct Kind {
    status: StatusCode,
    /// The body up to its extension members.
    head: String,
}

pub struct Answers {
    problems: HashMap<String, Kind>,
    /// `/v1/rounds/<round>/investments/<journal id>-`.
    location: String,
    /// The parts of a 201 between what changes.
    before_id: String,
    after_id: String,
    after_amount: String,
}

impl Answers {
    pub fn new(settings: &Settings, journal_id: &str) -> Self {
        let Settings { round, currency, .. } = settings;
        let currency = String::from_utf8_lossy(currency);
        let problems = settings.problems.iter().map(|(code, text)| {
            let quoted = |text: &str| serde_json::Value::from(text).to_string();
            let (title, detail) = (quoted(&text.title), quoted(&text.detail));
            let status = text.status;
            let head = format!(
                r#"{{"type":"/problems/{code}","title":{title},"status":{status},"detail":{detail},"code":"{code}""#
            );
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (code.clone(), Kind { status, head })
        });
        Self {
            problems: problems.collect(),
            location: format!("/v1/rounds/{round}/investments/{journal_id}-"),
            before_id: format!(r#"{{"id":"{journal_id}-"#),
            after_id: format!(r#"","round":"{round}","investor":"#),
            after_amount: format!(r#","currency":"{currency}","state":"accepted","sequence":"#),
        }
    }

    /// A problem with extension members: JSON text with a comma before each.
    pub fn problem(&self, code: &str, members: &str) -> Answer {
        let kind = &self.problems[code];
        let mut body = BytesMut::with_capacity(BODY_CAPACITY);
        body.put_slice(kind.head.as_bytes());
        body.put_slice(members.as_bytes());
        body.put_u8(b'}');
        let mut answer = Response::new(Full::new(body.freeze()));
        *answer.status_mut() = kind.status;
        answer.headers_mut().insert(CONTENT_TYPE, PROBLEM);
        answer
    }

    pub fn unauthenticated(&self) -> Answer {
        let mut answer = self.problem("unauthenticated", "");
        answer.headers_mut().insert(WWW_AUTHENTICATE, BEARER);
        answer
    }

    pub fn malformed(&self, pointer: &str) -> Answer {
        self.problem("malformed-request", &format!(r#","pointer":{}"#, serde_json::Value::from(pointer)))
    }

    pub fn verdict(&self, investor: &str, told: &Told) -> Answer {
        let mut answer = match told.code {
            Code::Accepted => self.accepted(investor, told),
            Code::AlreadyInvested => {
                let id = format!("{}{}", &self.before_id[7..], Base36::of(told.extra).as_str());
                self.problem("already-invested", &format!(r#","investment":"{id}""#))
            }
            Code::InsufficientBalance => self.problem("insufficient-balance", ""),
            Code::RoundFull => self.problem("round-full", &format!(r#","remaining":{}"#, told.extra)),
        };
        if told.replayed {
            answer.headers_mut().insert(REPLAYED, TRUE);
        }
        answer
    }

    fn accepted(&self, investor: &str, told: &Told) -> Answer {
        let mut number = itoa::Buffer::new();
        let id = Base36::of(told.sequence);
        // Body and location in one piece of memory, which both share.
        let mut bytes = BytesMut::with_capacity(BODY_CAPACITY);
        bytes.put_slice(self.location.as_bytes());
        bytes.put_slice(id.as_str().as_bytes());
        let location = bytes.split().freeze();
        bytes.put_slice(self.before_id.as_bytes());
        bytes.put_slice(id.as_str().as_bytes());
        bytes.put_slice(self.after_id.as_bytes());
        put_quoted(&mut bytes, investor);
        bytes.put_slice(br#","amount":"#);
        bytes.put_slice(number.format(told.amount).as_bytes());
        bytes.put_slice(self.after_amount.as_bytes());
        bytes.put_slice(number.format(told.sequence).as_bytes());
        bytes.put_slice(br#","acceptedAt":""#);
        bytes.put_slice(&rfc3339(told.at));
        bytes.put_slice(br#""}"#);
        let mut answer = Response::new(Full::new(bytes.freeze()));
        *answer.status_mut() = StatusCode::CREATED;
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        if let Ok(location) = HeaderValue::from_maybe_shared(location) {
            headers.insert(LOCATION, location);
        }
        answer
    }
}

/// Visible ASCII as JSON, which escapes two characters of it.
fn put_quoted(bytes: &mut BytesMut, text: &str) {
    bytes.put_u8(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            bytes.put_u8(b'\\');
        }
        bytes.put_u8(byte);
    }
    bytes.put_u8(b'"');
}

/// A number in base 36.
struct Base36 {
    digits: [u8; 13],
    from: usize,
}

impl Base36 {
    fn of(mut value: u64) -> Self {
        let mut text = Self { digits: [0; 13], from: 13 };
        loop {
            text.from -= 1;
            text.digits[text.from] = b"0123456789abcdefghijklmnopqrstuvwxyz"[(value % 36) as usize];
            value /= 36;
            if value == 0 {
                return text;
            }
        }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits[self.from..]).unwrap_or_default()
    }
}
