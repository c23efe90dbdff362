//! What a peer is told by whoever starts it: environment variables, the same for every peer. Amounts in minor units.

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};

use serde::Deserialize;

#[derive(Deserialize)]
pub struct ProblemText {
    pub status: u16,
    pub title: String,
    pub detail: String,
}

pub struct Settings {
    pub data_dir: String,
    pub secret: String,
    pub investors_file: String,
    pub problems: HashMap<String, ProblemText>,
    pub round: String,
    pub currency: [u8; 3],
    pub cap: u64,
    pub minimum: u64,
    pub maximum: u64,
}

fn required(name: &str) -> Result<String, Box<dyn Error>> {
    env::var(name).ok().filter(|value| !value.is_empty()).ok_or_else(|| format!("{name} is not set").into())
}

impl Settings {
    pub fn from_environment() -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            data_dir: required("PEER_DATA_DIR")?,
            secret: required("PEER_JWT_SECRET")?,
            investors_file: required("PEER_INVESTORS")?,
            problems: serde_json::from_str(&required("PEER_PROBLEMS")?)?,
            round: required("PEER_ROUND")?,
            currency: required("PEER_CURRENCY")?.as_bytes().try_into()?,
            cap: required("PEER_CAP")?.parse()?,
            minimum: required("PEER_MINIMUM")?.parse()?,
            maximum: required("PEER_MAXIMUM")?.parse()?,
        })
    }

    /// Calls `take` for every `investor balance` line of the investors' file.
    pub fn each_investor(&self, mut take: impl FnMut(&str, u64)) -> Result<(), Box<dyn Error>> {
        for line in BufReader::new(File::open(&self.investors_file)?).lines() {
            let line = line?;
            let (investor, balance) = line.split_once(' ').ok_or("not an investor")?;
            take(investor, balance.parse()?);
        }
        Ok(())
    }
}
