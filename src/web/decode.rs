//! Content codings (RFC 9110, section 8.4.1), undone so that a script can be put into a page.

use std::io::{self, BufRead, BufReader, Read};

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use tokio::sync::mpsc::Receiver;

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Gzip,
    /// As zlib has it, or without that, as some servers do.
    Deflate,
    Brotli,
    Zstd,
}

/// The codings that can be undone, as a request may ask for them.
pub const KNOWN: &str = "gzip, deflate, br, zstd";

impl Coding {
    /// The coding of this name; none if it cannot be undone.
    pub fn named(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Reads what `coded` contains.
    ///
    /// # Errors
    /// When not even its beginning can be read.
    pub fn decoder(self, coded: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
        let mut coded = BufReader::new(coded);
        // Nothing is a valid coding of nothing to browsers.
        if coded.fill_buf()?.is_empty() {
            return Ok(Box::new(io::empty()));
        }
        Ok(match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(coded)),
            Self::Deflate => match has_zlib_header(coded.fill_buf()?) {
                true => Box::new(ZlibDecoder::new(coded)),
                false => Box::new(DeflateDecoder::new(coded)),
            },
            Self::Brotli => Box::new(brotli_decompressor::Decompressor::new(coded, 16 * 1024)),
            Self::Zstd => {
                let decoder = ruzstd::decoding::StreamingDecoder::new(coded);
                Box::new(decoder.map_err(io::Error::other)?)
            }
        })
    }
}

/// RFC 1950, section 2.2.
fn has_zlib_header(text: &[u8]) -> bool {
    match text {
        [first, second, ..] => {
            first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0
        }
        _ => true,
    }
}

/// What comes through a channel, for a thread that may wait for it.
pub struct Chunks {
    chunks: Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl Chunks {
    pub fn new(chunks: Receiver<io::Result<Bytes>>) -> Self {
        Self { chunks, current: Bytes::new() }
    }
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.current = chunk?,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &str = "<!doctype html><p>héllo</p>";

    fn decoded(coding: &str, coded: Vec<u8>) -> io::Result<String> {
        let coding = Coding::named(coding).expect("a known coding");
        let mut text = String::new();
        coding.decoder(io::Cursor::new(coded))?.read_to_string(&mut text)?;
        Ok(text)
    }

    fn coded<W: Write>(mut encoder: W, finish: impl Fn(W) -> io::Result<Vec<u8>>) -> Vec<u8> {
        encoder.write_all(TEXT.as_bytes()).unwrap();
        finish(encoder).unwrap()
    }

    #[test]
    fn what_was_coded_is_read() {
        let level = Compression::default();
        let gzip = coded(GzEncoder::new(Vec::new(), level), GzEncoder::finish);
        let twice = [gzip.clone(), gzip.clone()].concat();
        assert_eq!(decoded("x-gzip", gzip).unwrap(), TEXT);
        assert_eq!(decoded("gzip", twice).unwrap(), [TEXT, TEXT].concat());
        let zlib = coded(ZlibEncoder::new(Vec::new(), level), ZlibEncoder::finish);
        assert_eq!(decoded("deflate", zlib).unwrap(), TEXT);
        let raw = coded(DeflateEncoder::new(Vec::new(), level), DeflateEncoder::finish);
        assert_eq!(decoded("Deflate", raw).unwrap(), TEXT);
        let zstd = ruzstd::encoding::compress_to_vec(
            TEXT.as_bytes(),
            ruzstd::encoding::CompressionLevel::Fastest,
        );
        assert_eq!(decoded("zstd", zstd).unwrap(), TEXT);
        // "hello" as brotli(1) stores it.
        let brotli = b"\x0b\x02\x80hello\x03".to_vec();
        assert_eq!(decoded("br", brotli).unwrap(), "hello");
    }

    #[test]
    fn nothing_is_nothing_and_nonsense_an_error() {
        for coding in ["gzip", "deflate", "br", "zstd"] {
            assert_eq!(decoded(coding, Vec::new()).unwrap(), "", "{coding}");
            assert!(decoded(coding, vec![0xff; 40]).is_err(), "{coding}");
        }
        assert_eq!(Coding::named("gzip, br"), None);
        assert_eq!(Coding::named("dcz"), None);
    }
}
