//! SPDY/3.1 as far as `kubectl` speaks it to an API server, for port-forward and exec: streams, data, and their ends.
//!
//! Clients send header blocks that are compressed with the protocol's dictionary. What is sent back is a valid zlib stream
//! of stored blocks, which no dictionary makes smaller.

use std::collections::BTreeMap;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const FIN: u8 = 1;
/// Most bytes of a frame, and of all header blocks of a connection.
const LIMIT: usize = 1 << 20;

/// A stream that the client opened.
pub struct Stream {
    id: u32,
    pub headers: BTreeMap<String, String>,
    /// What the client sends on it; ends with its half of the stream.
    pub incoming: UnboundedReceiver<Vec<u8>>,
    out: UnboundedSender<Vec<u8>>,
}

impl Stream {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn send(&self, bytes: &[u8]) -> bool {
        bytes.chunks(32 << 10).all(|piece| self.out.send(data(self.id, 0, piece)).is_ok())
    }

    /// Ends our half.
    pub fn finish(&self) {
        let _ = self.out.send(data(self.id, FIN, b""));
    }
}

/// The streams that a client opens on this connection, in the order in which it does. The connection ends with its peer, or
/// when everybody who could still write to it is gone.
pub fn accept(io: impl AsyncRead + AsyncWrite + Send + 'static) -> UnboundedReceiver<Stream> {
    let (mut from, mut to) = tokio::io::split(io);
    let (out, mut frames) = unbounded_channel::<Vec<u8>>();
    let (opened, streams) = unbounded_channel();
    tokio::spawn(async move {
        let _ = read(&mut from, &out, &opened).await;
    });
    tokio::spawn(async move {
        while let Some(frame) = frames.recv().await {
            if to.write_all(&frame).await.is_err() || to.flush().await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    });
    streams
}

async fn read(
    from: &mut (impl AsyncRead + Unpin),
    out: &UnboundedSender<Vec<u8>>,
    opened: &UnboundedSender<Stream>,
) -> std::io::Result<()> {
    let mut headers = Headers::new();
    let mut streams: BTreeMap<u32, UnboundedSender<Vec<u8>>> = BTreeMap::new();
    let mut replied = false;
    loop {
        let mut head = [0; 8];
        from.read_exact(&mut head).await?;
        let (first, flags) = (be32(&head[..4]), head[4]);
        let mut payload = vec![0; be32(&[0, head[5], head[6], head[7]]) as usize];
        if payload.len() > LIMIT {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        from.read_exact(&mut payload).await?;
        if first & 1 << 31 == 0 {
            if let Some(stream) = streams.get(&first)
                && !payload.is_empty()
            {
                let _ = stream.send(payload);
            }
            if flags & FIN != 0 {
                streams.remove(&first);
            }
            continue;
        }
        assert_eq!(first >> 16 & 0x7fff, 3, "the version of SPDY");
        match first as u16 {
            SYN_STREAM => {
                let id = be32(&payload[..4]);
                let headers = headers.read(&payload[10..])?;
                let (sender, incoming) = unbounded_channel();
                if flags & FIN == 0 {
                    streams.insert(id, sender);
                }
                let mut reply = id.to_be_bytes().to_vec();
                reply.extend(no_headers(!std::mem::replace(&mut replied, true)));
                let _ = out.send(control(SYN_REPLY, &reply));
                let _ = opened.send(Stream { id, headers, incoming, out: out.clone() });
            }
            RST_STREAM => {
                streams.remove(&be32(&payload[..4]));
            }
            PING => {
                let _ = out.send(control(PING, &payload));
            }
            GOAWAY => return Ok(()),
            // SETTINGS, HEADERS and WINDOW_UPDATE say nothing that this server minds.
            _ => {}
        }
    }
}

fn be32(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |n, byte| n << 8 | u32::from(*byte))
}

fn control(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80, 3];
    frame.extend(kind.to_be_bytes());
    // No flags; three bytes of length.
    frame.extend((payload.len() as u32).to_be_bytes());
    frame.extend(payload);
    frame
}

fn data(stream: u32, flags: u8, bytes: &[u8]) -> Vec<u8> {
    let mut frame = stream.to_be_bytes().to_vec();
    frame.push(flags);
    frame.extend(&(bytes.len() as u32).to_be_bytes()[1..]);
    frame.extend(bytes);
    frame
}

/// Header blocks that say nothing. All of a connection are one zlib stream, which `begins` with the first.
fn no_headers(begins: bool) -> Vec<u8> {
    let mut block = if begins { vec![0x78, 0x01] } else { Vec::new() };
    let none = 0u32.to_be_bytes();
    // A stored block: not the last, its length, the same turned over, its bytes. Then an empty one, which makes readers give
    // out what they have.
    block.extend([0, 4, 0, 0xfb, 0xff]);
    block.extend(none);
    block.extend([0, 0, 0, 0xff, 0xff]);
    block
}

/// The header blocks that come in: one zlib stream for the whole connection, flushed at the end of each.
struct Headers {
    inflater: DecompressorOxide,
    /// The dictionary, and all that came after it.
    plain: Vec<u8>,
    filled: usize,
    begun: bool,
}

impl Headers {
    fn new() -> Self {
        let mut plain = dictionary();
        let filled = plain.len();
        plain.resize(LIMIT, 0);
        Self { inflater: DecompressorOxide::new(), plain, filled, begun: false }
    }

    fn read(&mut self, mut block: &[u8]) -> std::io::Result<BTreeMap<String, String>> {
        let wrong = || std::io::Error::from(std::io::ErrorKind::InvalidData);
        if !self.begun {
            // Method and flags of zlib; with the dictionary's bit also its checksum.
            let with_dictionary = block.get(1).ok_or_else(wrong)? & 0x20 != 0;
            let checksum = block.get(2..6).ok_or_else(wrong)?;
            assert!(!with_dictionary || checksum == [0xe3, 0xc6, 0xa7, 0xc2], "another dictionary: {checksum:x?}");
            block = &block[if with_dictionary { 6 } else { 2 }..];
            self.begun = true;
        }
        let start = self.filled;
        let flags = TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, _, written) = decompress(&mut self.inflater, block, &mut self.plain, start, flags);
        if status != TINFLStatus::NeedsMoreInput {
            return Err(wrong());
        }
        self.filled += written;
        let mut rest = &self.plain[start..self.filled];
        let mut number = || {
            let (number, after) = rest.split_at_checked(4)?;
            rest = after;
            Some(be32(number) as usize)
        };
        let count = number().ok_or_else(wrong)?;
        let mut headers = BTreeMap::new();
        let mut word = || {
            let (length, after) = rest.split_at_checked(4)?;
            let (word, after) = after.split_at_checked(be32(length) as usize)?;
            rest = after;
            Some(String::from_utf8_lossy(word).into_owned())
        };
        for _ in 0..count {
            let (name, value) = (word().ok_or_else(wrong)?, word().ok_or_else(wrong)?);
            headers.insert(name.to_ascii_lowercase(), value);
        }
        Ok(headers)
    }
}

/// The dictionary of the protocol's draft 3: words that are likely in headers, each behind its length, and what follows them.
fn dictionary() -> Vec<u8> {
    const WORDS: &str = "options head post put delete trace accept accept-charset accept-encoding accept-language \
        accept-ranges age allow authorization cache-control connection content-base content-encoding content-language \
        content-length content-location content-md5 content-range content-type date etag expect expires from host if-match \
        if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma \
        proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade \
        user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie \
        keep-alive origin";
    const REST: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 \
        Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not \
        Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov \
        Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,\
        application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=\
        iso-8859-1,utf-,*,enq=0.";
    let mut bytes = Vec::new();
    for word in WORDS.split_whitespace() {
        bytes.extend((word.len() as u32).to_be_bytes());
        bytes.extend(word.replace('_', " ").bytes());
    }
    bytes.extend(REST.bytes());
    assert_eq!(bytes.len(), 1423, "the draft's dictionary");
    bytes
}
