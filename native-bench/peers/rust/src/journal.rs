//! The log: a chain of segment files that are filled with zeros before they are used, so that a sync writes data and no
//! metadata. A segment starts with 8 characters that name the log. A frame is what one sync covers:
//!
//! ```text
//! u32 bytes of rows | u32 CRC-32 of the rows, continued from the frame before | rows
//! row: u8 code, investor bytes, key bytes | u64 amount, sequence, at, extra | investor | key
//! ```

use std::fs::{self, File, OpenOptions};
use std::future::Future;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::task::{Context, Poll, Waker};
use std::thread;

use parking_lot::{Condvar, Mutex};

use crate::admission::{Code, Verdict};

const SEGMENT_BYTES: u64 = 64 << 20;
const ID_BYTES: usize = 8;
const FRAME_HEAD: usize = 8;
const ROW_HEAD: usize = 3 + 4 * 8;
const FILL_BYTES: usize = 1 << 20;
const EXIT_FAILED: i32 = 70;

/// Opens when the batch it belongs to is on disk.
#[derive(Default)]
pub struct Gate {
    is_open: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Gate {
    fn open(&self) {
        let waiting = {
            let mut waiting = self.waiting.lock();
            self.is_open.store(true, Ordering::Release);
            std::mem::take(&mut *waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// Resolves when the gate is open.
pub struct Durable(pub Arc<Gate>);

impl Future for Durable {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context) -> Poll<()> {
        let gate = &self.0;
        if gate.is_open.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        let mut waiting = gate.waiting.lock();
        if gate.is_open.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        waiting.push(context.waker().clone());
        Poll::Pending
    }
}

/// What the next sync covers.
struct Next {
    sequence: u64,
    frame: Vec<u8>,
    gate: Arc<Gate>,
}

struct Shared {
    next: Mutex<Next>,
    arrived: Condvar,
}

pub struct Journal {
    pub id: String,
    shared: Arc<Shared>,
}

impl Journal {
    /// Reads what is there, row by row, and goes on behind it. A frame that is not whole was never answered for.
    pub fn open(dir: &Path, mut take: impl FnMut(&str, Verdict)) -> io::Result<Self> {
        let mut recovered = Recovered::default();
        let mut index = 0;
        while recovered.read_segment(&segment(dir, index), &mut take)? {
            index += 1;
        }
        let (id, file) = if index == 0 {
            let id = new_id()?;
            let file = fill(&segment(dir, 0), &id)?;
            recovered.at = ID_BYTES as u64;
            (id, file)
        } else {
            index -= 1;
            (recovered.id, OpenOptions::new().write(true).open(segment(dir, index))?)
        };
        let shared = Arc::new(Shared {
            next: Mutex::new(Next { sequence: recovered.sequence, frame: vec![0; FRAME_HEAD], gate: Arc::default() }),
            arrived: Condvar::new(),
        });
        let filled = fill_ahead(dir.to_owned(), id.clone(), index + 1);
        let writer = Writer { file, at: recovered.at, crc: recovered.crc, filled };
        let committed = Arc::clone(&shared);
        thread::Builder::new().name("commit".into()).spawn(move || commit(&committed, writer))?;
        Ok(Self { id, shared })
    }

    /// Adds a row to the next batch; its answer may leave when the gate is open.
    pub fn append(&self, investor: &str, key: &str, verdict: &mut Verdict) {
        let mut next = self.shared.next.lock();
        next.sequence += 1;
        verdict.sequence = next.sequence;
        verdict.gate = Some(Arc::clone(&next.gate));
        let is_first = next.frame.len() == FRAME_HEAD;
        let frame = &mut next.frame;
        frame.extend_from_slice(&[verdict.code as u8, investor.len() as u8, key.len() as u8]);
        for word in [verdict.amount, verdict.sequence, verdict.at, verdict.extra] {
            frame.extend_from_slice(&word.to_le_bytes());
        }
        frame.extend_from_slice(investor.as_bytes());
        frame.extend_from_slice(key.as_bytes());
        drop(next);
        if is_first {
            self.shared.arrived.notify_one();
        }
    }
}

/// Writes and syncs batch after batch. What arrives during a sync shares the next one.
fn commit(shared: &Shared, mut writer: Writer) {
    let mut frame = vec![0; FRAME_HEAD];
    loop {
        let gate = {
            let mut next = shared.next.lock();
            while next.frame.len() == FRAME_HEAD {
                shared.arrived.wait(&mut next);
            }
            std::mem::swap(&mut next.frame, &mut frame);
            std::mem::take(&mut next.gate)
        };
        if let Err(error) = writer.write(&mut frame) {
            // After a failed sync nobody knows what is on disk: the next start tells.
            eprintln!("{error}");
            process::exit(EXIT_FAILED);
        }
        gate.open();
        frame.truncate(FRAME_HEAD);
    }
}

struct Writer {
    file: File,
    at: u64,
    crc: u32,
    filled: Receiver<File>,
}

impl Writer {
    fn write(&mut self, frame: &mut [u8]) -> io::Result<()> {
        if self.at + frame.len() as u64 > SEGMENT_BYTES {
            self.file = self.filled.recv().map_err(io::Error::other)?;
            self.at = ID_BYTES as u64;
        }
        self.crc = continue_crc(self.crc, &frame[FRAME_HEAD..]);
        let length = (frame.len() - FRAME_HEAD) as u32;
        frame[..4].copy_from_slice(&length.to_le_bytes());
        frame[4..FRAME_HEAD].copy_from_slice(&self.crc.to_le_bytes());
        self.file.write_all_at(frame, self.at)?;
        self.at += frame.len() as u64;
        self.file.sync_data()
    }
}

fn continue_crc(crc: u32, rows: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(crc);
    hasher.update(rows);
    hasher.finalize()
}

fn segment(dir: &Path, index: u32) -> PathBuf {
    dir.join(format!("{index:06}.log"))
}

/// Keeps one segment ready behind the current one.
fn fill_ahead(dir: PathBuf, id: String, first: u32) -> Receiver<File> {
    let (ready, filled) = sync_channel(0);
    thread::spawn(move || {
        for index in first.. {
            match fill(&segment(&dir, index), &id) {
                Ok(file) => {
                    if ready.send(file).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    eprintln!("{error}");
                    process::exit(EXIT_FAILED);
                }
            }
        }
    });
    filled
}

/// Makes a segment; it gets its name when it is whole.
fn fill(path: &Path, id: &str) -> io::Result<File> {
    let unfinished = path.with_extension("tmp");
    let file = File::create(&unfinished)?;
    let mut zeros = vec![0; FILL_BYTES];
    zeros[..ID_BYTES].copy_from_slice(id.as_bytes());
    for at in (0..SEGMENT_BYTES).step_by(FILL_BYTES) {
        file.write_all_at(&zeros, at)?;
        file.sync_data()?;
        zeros[..ID_BYTES].fill(0);
    }
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(file)
}

fn new_id() -> io::Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz012345";
    let mut random = [0; ID_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random.iter().map(|&byte| LETTERS[usize::from(byte) % LETTERS.len()] as char).collect())
}

#[derive(Default)]
struct Recovered {
    id: String,
    sequence: u64,
    crc: u32,
    /// Behind the last whole frame of the segment that was read last.
    at: u64,
}

impl Recovered {
    /// False when there is no such segment, or it was filled ahead and never used.
    fn read_segment(&mut self, path: &Path, take: &mut impl FnMut(&str, Verdict)) -> io::Result<bool> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if !self.id.is_empty() && word32(&bytes, ID_BYTES) == 0 {
            return Ok(false);
        }
        self.id = String::from_utf8_lossy(&bytes[..ID_BYTES]).into_owned();
        let mut at = ID_BYTES;
        while at + FRAME_HEAD <= bytes.len() {
            let length = word32(&bytes, at) as usize;
            let Some(rows) = bytes.get(at + FRAME_HEAD..at + FRAME_HEAD + length) else { break };
            let crc = continue_crc(self.crc, rows);
            if length == 0 || crc != word32(&bytes, at + 4) {
                break;
            }
            self.read_rows(rows, take)?;
            self.crc = crc;
            at += FRAME_HEAD + length;
        }
        self.at = at as u64;
        Ok(true)
    }

    fn read_rows(&mut self, mut rows: &[u8], take: &mut impl FnMut(&str, Verdict)) -> io::Result<()> {
        while !rows.is_empty() {
            let (names, keys) = (usize::from(rows[1]), usize::from(rows[2]));
            let word = |at: usize| u64::from(word32(rows, at)) | u64::from(word32(rows, at + 4)) << 32;
            let text = std::str::from_utf8(&rows[ROW_HEAD..ROW_HEAD + names + keys]).map_err(io::Error::other)?;
            let verdict = Verdict {
                key: text[names..].into(),
                code: Code::from_byte(rows[0]).ok_or_else(|| io::Error::other("a row of an unknown kind"))?,
                amount: word(3),
                sequence: word(11),
                at: word(19),
                extra: word(27),
                gate: None,
            };
            self.sequence = verdict.sequence;
            take(&text[..names], verdict);
            rows = &rows[ROW_HEAD + names + keys..];
        }
        Ok(())
    }
}

fn word32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
