//! The JSON of an investment, read strictly: each member once, none unknown, the amount an integer.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::error::Category;

const AMOUNT_MAX: u64 = (1 << 53) - 1;
const KEY_BYTES_MAX: usize = 64;

pub struct Wanted {
    pub amount: u64,
    pub currency: [u8; 3],
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

enum Member {
    Amount,
    Currency,
    Unknown,
}

/// Reads a member's name, and keeps where it is as a JSON Pointer.
struct NameSeed<'p>(&'p mut Cow<'static, str>);

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = Member;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Member, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for NameSeed<'_> {
    type Value = Member;

    fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
        to.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Member, E> {
        let (pointer, member) = match name {
            "amount" => (Cow::Borrowed("/amount"), Member::Amount),
            "currency" => (Cow::Borrowed("/currency"), Member::Currency),
            _ => (Cow::Owned(format!("/{}", name.replace('~', "~0").replace('/', "~1"))), Member::Unknown),
        };
        *self.0 = pointer;
        Ok(member)
    }
}

struct BodySeed<'p>(&'p mut Cow<'static, str>);

impl<'de> DeserializeSeed<'de> for BodySeed<'_> {
    type Value = Wanted;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Wanted, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for BodySeed<'_> {
    type Value = Wanted;

    fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
        to.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Wanted, A::Error> {
        let mut amount = None;
        let mut currency = None;
        while let Some(member) = map.next_key_seed(NameSeed(&mut *self.0))? {
            match member {
                Member::Amount => {
                    let value: u64 = map.next_value()?;
                    if amount.replace(value).is_some() || value == 0 || value > AMOUNT_MAX {
                        return Err(Error::custom("amount"));
                    }
                }
                Member::Currency => {
                    let Text(text) = map.next_value()?;
                    let value: [u8; 3] = text.as_bytes().try_into().map_err(|_| Error::custom("currency"))?;
                    if currency.replace(value).is_some() || !value.iter().all(u8::is_ascii_uppercase) {
                        return Err(Error::custom("currency"));
                    }
                }
                Member::Unknown => return Err(Error::custom("unknown")),
            }
        }
        *self.0 = Cow::Borrowed("/amount");
        let amount = amount.ok_or_else(|| Error::custom("missing"))?;
        *self.0 = Cow::Borrowed("/currency");
        let currency = currency.ok_or_else(|| Error::custom("missing"))?;
        Ok(Wanted { amount, currency })
    }
}

/// The body, or a JSON Pointer to the member that is wrong.
pub fn read_body(bytes: &[u8]) -> Result<Wanted, Cow<'static, str>> {
    let mut pointer = Cow::Borrowed("");
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = BodySeed(&mut pointer).deserialize(&mut reader).and_then(|wanted| reader.end().map(|()| wanted));
    read.map_err(|error| if error.classify() == Category::Data { pointer } else { Cow::Borrowed("") })
}

/// The key of an Idempotency-Key header, bare or quoted.
pub fn read_key(header: &[u8]) -> Option<&str> {
    let key = match header {
        [b'"', inside @ .., b'"'] => inside,
        bare => bare,
    };
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if key.is_empty() || key.len() > KEY_BYTES_MAX || !key.iter().all(is_key) {
        return None;
    }
    std::str::from_utf8(key).ok()
}
