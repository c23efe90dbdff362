//! The decision: an investor is locked by shard, the cap is a counter that is changed only where there is room.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::RandomState;
use parking_lot::Mutex;

use crate::journal::{Durable, Gate, Journal};
use crate::settings::Settings;

const SHARDS: usize = 256;

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    Accepted = 0,
    AlreadyInvested = 1,
    InsufficientBalance = 2,
    RoundFull = 3,
}

impl Code {
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Accepted, Self::AlreadyInvested, Self::InsufficientBalance, Self::RoundFull]
            .into_iter()
            .find(|&code| code as u8 == byte)
    }
}

/// What stuck to a key.
pub struct Verdict {
    pub key: Box<str>,
    pub code: Code,
    pub amount: u64,
    pub sequence: u64,
    /// Milliseconds since the epoch.
    pub at: u64,
    /// The live investment's sequence, or the room at that moment.
    pub extra: u64,
    /// Opens when it is on disk; none when it was read from there.
    pub gate: Option<Arc<Gate>>,
}

/// A verdict as it is answered.
pub struct Told {
    pub code: Code,
    pub amount: u64,
    pub sequence: u64,
    pub at: u64,
    pub extra: u64,
    pub replayed: bool,
}

pub enum Decision {
    Verdict(Told),
    KeyReused,
    /// Its terms refuse it, and its key is new.
    Refused,
}

/// What is asked, its form checked.
pub struct Request<'a> {
    pub investor: &'a str,
    pub key: &'a str,
    pub amount: u64,
    /// Currency, minimum or maximum refuse it, if its key is new.
    pub is_refused: bool,
    /// The round's currency.
    pub is_same_currency: bool,
    pub now_ms: u64,
}

#[derive(Default)]
struct Investor {
    balance: u64,
    /// Sequence of the live investment, 0 for none.
    live: u64,
    first: Option<Verdict>,
    more: Vec<Verdict>,
}

impl Investor {
    fn find(&self, key: &str) -> Option<&Verdict> {
        self.first.iter().chain(&self.more).find(|verdict| &*verdict.key == key)
    }

    fn remember(&mut self, verdict: Verdict) {
        if verdict.code == Code::Accepted {
            self.live = verdict.sequence;
        }
        match self.first {
            None => self.first = Some(verdict),
            Some(_) => self.more.push(verdict),
        }
    }
}

type Shard = HashMap<Box<str>, Investor, RandomState>;

/// One shard a cache line, so that two of them do not share one.
#[repr(align(64))]
struct Padded(Mutex<Shard>);

struct Investors {
    hasher: RandomState,
    shards: Vec<Padded>,
}

impl Investors {
    fn new() -> Self {
        let hasher = RandomState::new();
        let shard = || Padded(Mutex::new(HashMap::with_hasher(hasher.clone())));
        Self { shards: (0..SHARDS).map(|_| shard()).collect(), hasher }
    }

    fn with<T>(&self, name: &str, work: impl FnOnce(&mut Investor) -> T) -> T {
        // The high bits: the map in the shard uses the low ones.
        let shard = (self.hasher.hash_one(name) >> 48) as usize % SHARDS;
        let mut shard = self.shards[shard].0.lock();
        match shard.get_mut(name) {
            Some(investor) => work(investor),
            None => work(shard.entry(name.into()).or_default()),
        }
    }
}

pub struct Admission {
    cap: u64,
    admitted: AtomicU64,
    investors: Investors,
    journal: Journal,
}

impl Admission {
    /// Loads the balances, then what the log says.
    pub fn open(settings: &Settings) -> Result<Self, Box<dyn Error>> {
        let investors = Investors::new();
        settings.each_investor(|name, balance| investors.with(name, |investor| investor.balance = balance))?;
        let mut admitted = 0;
        let journal = Journal::open(Path::new(&settings.data_dir), |name, verdict| {
            if verdict.code == Code::Accepted {
                admitted += verdict.amount;
            }
            investors.with(name, |investor| investor.remember(verdict));
        })?;
        Ok(Self { cap: settings.cap, admitted: AtomicU64::new(admitted), investors, journal })
    }

    pub fn journal_id(&self) -> &str {
        &self.journal.id
    }

    /// Decides; resolves when what it says is on disk.
    pub async fn decide(&self, request: Request<'_>) -> Decision {
        let (decision, gate) = self.investors.with(request.investor, |investor| self.judge(investor, &request));
        if let Some(gate) = gate {
            Durable(gate).await;
        }
        decision
    }

    fn judge(&self, investor: &mut Investor, request: &Request) -> (Decision, Option<Arc<Gate>>) {
        if let Some(known) = investor.find(request.key) {
            if known.amount != request.amount || !request.is_same_currency {
                return (Decision::KeyReused, None);
            }
            return (Decision::Verdict(told(known, true)), known.gate.clone());
        }
        if request.is_refused {
            return (Decision::Refused, None);
        }
        let (code, extra) = if investor.live != 0 {
            (Code::AlreadyInvested, investor.live)
        } else if investor.balance < request.amount {
            (Code::InsufficientBalance, 0)
        } else {
            match self.reserve(request.amount) {
                Ok(()) => (Code::Accepted, 0),
                Err(room) => (Code::RoundFull, room),
            }
        };
        let mut verdict = Verdict {
            key: request.key.into(),
            code,
            amount: request.amount,
            sequence: 0,
            at: request.now_ms,
            extra,
            gate: None,
        };
        self.journal.append(request.investor, request.key, &mut verdict);
        let answer = (Decision::Verdict(told(&verdict, false)), verdict.gate.clone());
        investor.remember(verdict);
        answer
    }

    /// Takes room under the cap, or says how much there is when it is too little.
    fn reserve(&self, amount: u64) -> Result<(), u64> {
        let mut now = self.admitted.load(Ordering::Relaxed);
        loop {
            let room = self.cap - now;
            if room < amount {
                return Err(room);
            }
            match self.admitted.compare_exchange_weak(now, now + amount, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(changed) => now = changed,
            }
        }
    }
}

fn told(verdict: &Verdict, replayed: bool) -> Told {
    let &Verdict { code, amount, sequence, at, extra, .. } = verdict;
    Told { code, amount, sequence, at, extra, replayed }
}
