//! Who asks: the subject of an HS256 bearer token.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::Sha256;

const TOKEN_BYTES_MAX: usize = 4096;
const INVESTOR_BYTES_MAX: usize = 128;
const SIGNATURE_CHARS: usize = 43;
/// `{"alg":"HS256","typ":"JWT"}`: what nearly every issuer writes.
const USUAL_HEADER: &[u8] = b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(default)]
    crit: serde_json::Value,
}

#[derive(Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    sub: Cow<'a, str>,
    exp: f64,
    nbf: Option<f64>,
}

pub struct Verifier {
    /// Both pads are in it already; a check clones it.
    mac: Hmac<Sha256>,
}

/// A valid subject, on the stack: 1-128 bytes of visible ASCII.
pub struct Investor {
    bytes: [u8; INVESTOR_BYTES_MAX],
    length: usize,
}

impl Investor {
    pub fn as_str(&self) -> &str {
        // Checked to be ASCII when it was made; an empty name is nobody's.
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl Verifier {
    pub fn new(secret: &str) -> Self {
        Self { mac: Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length") }
    }

    /// The investor whom an Authorization header proves.
    pub fn investor(&self, authorization: &[u8], now_ms: u64) -> Option<Investor> {
        let (scheme, rest) = authorization.split_at_checked(7)?;
        if !scheme.eq_ignore_ascii_case(b"bearer ") {
            return None;
        }
        let token = rest.trim_ascii_start();
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let first = token.iter().position(|&byte| byte == b'.')?;
        let second = first + 1 + token[first + 1..].iter().position(|&byte| byte == b'.')?;
        let signature = &token[second + 1..];
        if signature.len() != SIGNATURE_CHARS || !is_hs256(&token[..first]) {
            return None;
        }
        let mut sent = [0; 33];
        let sent_bytes = URL_SAFE_NO_PAD.decode_slice(signature, &mut sent).ok()?;
        let mut mac = self.mac.clone();
        mac.update(&token[..second]);
        mac.verify_slice(&sent[..sent_bytes]).ok()?;

        let mut payload = [0; TOKEN_BYTES_MAX];
        let payload_bytes = URL_SAFE_NO_PAD.decode_slice(&token[first + 1..second], &mut payload).ok()?;
        let claims: Claims = serde_json::from_slice(&payload[..payload_bytes]).ok()?;
        let now_s = now_ms as f64 / 1000.0;
        if claims.exp <= now_s || claims.nbf.is_some_and(|from| from > now_s) {
            return None;
        }
        let subject = claims.sub.as_bytes();
        if subject.is_empty() || subject.len() > INVESTOR_BYTES_MAX || !subject.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut investor = Investor { bytes: [0; INVESTOR_BYTES_MAX], length: subject.len() };
        investor.bytes[..subject.len()].copy_from_slice(subject);
        Some(investor)
    }
}

fn is_hs256(encoded: &[u8]) -> bool {
    if encoded == USUAL_HEADER {
        return true;
    }
    URL_SAFE_NO_PAD.decode(encoded).is_ok_and(|text| {
        serde_json::from_slice::<Header>(&text).is_ok_and(|header| header.alg == "HS256" && header.crit.is_null())
    })
}
