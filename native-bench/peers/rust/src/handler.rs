//! The route: what the form of a request refuses, then the decision.

use std::convert::Infallible;
use std::time::{SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request};

use crate::admission::{self, Admission, Decision};
use crate::answers::{Answer, Answers};
use crate::body::{Wanted, read_body, read_key};
use crate::settings::Settings;
use crate::token::Verifier;

const BODY_BYTES_MAX: usize = 4096;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

pub struct Handler {
    pub settings: Settings,
    pub verifier: Verifier,
    pub answers: Answers,
    pub admission: Admission,
}

fn header(headers: &HeaderMap, name: HeaderName) -> &[u8] {
    headers.get(name).map_or(b"", HeaderValue::as_bytes)
}

fn is_json(content_type: &[u8]) -> bool {
    let kind = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

impl Handler {
    pub async fn serve(&self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().strip_prefix("/v1/rounds/");
        let Some(round) = path.and_then(|path| path.strip_suffix("/investments")) else {
            return Ok(self.answers.problem("not-found", ""));
        };
        if parts.method != Method::POST {
            let mut answer = self.answers.problem("method-not-allowed", "");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            return Ok(answer);
        }
        if !is_json(header(&parts.headers, CONTENT_TYPE)) {
            return Ok(self.answers.problem("unsupported-media-type", ""));
        }
        if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
            return Ok(self.too_large());
        }
        let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
            return Ok(self.too_large());
        };
        Ok(self.invest(round, &parts.headers, &body.to_bytes()).await)
    }

    fn too_large(&self) -> Answer {
        let mut answer = self.answers.problem("body-too-large", "");
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        answer
    }

    async fn invest(&self, round: &str, headers: &HeaderMap, body: &[u8]) -> Answer {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let Some(investor) = self.verifier.investor(header(headers, AUTHORIZATION), now_ms) else {
            return self.answers.unauthenticated();
        };
        let Some(key) = read_key(header(headers, IDEMPOTENCY_KEY)) else {
            return self.answers.malformed("");
        };
        let Wanted { amount, currency } = match read_body(body) {
            Ok(wanted) => wanted,
            Err(pointer) => return self.answers.malformed(&pointer),
        };
        let Settings { round: known_round, currency: known_currency, minimum, maximum, .. } = &self.settings;
        if round != known_round {
            return self.answers.problem("round-not-found", "");
        }
        let is_same_currency = currency == *known_currency;
        let request = admission::Request {
            investor: investor.as_str(),
            key,
            amount,
            is_refused: !is_same_currency || !(*minimum..=*maximum).contains(&amount),
            is_same_currency,
            now_ms,
        };
        match self.admission.decide(request).await {
            Decision::Verdict(told) => self.answers.verdict(investor.as_str(), &told),
            Decision::KeyReused => self.answers.problem("idempotency-key-reused", ""),
            Decision::Refused if !is_same_currency => self.answers.problem("currency-mismatch", ""),
            Decision::Refused if amount < *minimum => {
                self.answers.problem("amount-below-minimum", &format!(r#","minimum":{minimum}"#))
            }
            Decision::Refused => self.answers.problem("amount-above-maximum", &format!(r#","maximum":{maximum}"#)),
        }
    }
}
