//! Finds where a picture ends, by its markers.

use super::scan::end_of_blocks;
use super::{APP1, DHT, EOI, Header, JpegError, MayCount, Orientation, SOI, SOS, exif, header_from, segment};

/// A whole picture found at the beginning of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What its header says.
    pub header: Header,
    /// Its length: what follows does not belong to it.
    pub end: usize,
    /// Where its first scan begins. The usual Huffman tables belong here if it has none.
    pub scan: usize,
    /// It brings its Huffman tables along, and can be passed on as `input[..end]`.
    pub has_tables: bool,
}

/// Finds the end of the first picture in bytes that come little by little. Every byte is looked at once.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    pub(super) at: usize,
    orientation: Option<Orientation>,
    header: Option<Header>,
    scan: Option<usize>,
    in_scan: bool,
    scan_bytes: usize,
    has_tables: bool,
}

impl Walk {
    /// Begins behind a start of image that is known to be there.
    pub(super) fn behind_start() -> Self {
        Self { at: 2, ..Self::default() }
    }

    /// How many bytes from the beginning need not be looked at again.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.at
    }

    /// Goes on where the last call stopped. `input` begins as it did then and may have grown. `None`: more is needed.
    ///
    /// # Errors
    /// What is wrong with the picture; never [`JpegError::CutOff`].
    pub fn resume(&mut self, input: &[u8]) -> Result<Option<Layout>, JpegError> {
        if self.at == 0 {
            match input {
                [0xFF, SOI, ..] => self.at = 2,
                [] | [0xFF] => return Ok(None),
                _ => return Err(JpegError::NotJpeg),
            }
        }
        loop {
            if self.in_scan && !self.pass_scan(input) {
                return Ok(None);
            }
            let Some((marker, body)) = self.marker(input)? else { return Ok(None) };
            match marker {
                EOI => return self.end(body).map(Some),
                SOI => return Err(JpegError::Interrupted),
                // TEM, restart markers outside a scan, and the reserved ones have no body and no business here.
                0x01..=0xBF | 0xD0..=0xD7 => return Err(JpegError::Markers),
                _ => {}
            }
            let Some(segment) = segment(input, body)? else { return Ok(None) };
            match marker {
                // Tables that come after the first scan are too late for it.
                DHT => self.has_tables |= self.scan.is_none(),
                0xC0..=0xC2 if self.header.is_none() => {
                    self.header = Some(header_from(marker, segment, self.orientation)?);
                }
                0xC0..=0xC2 => return Err(JpegError::Header),
                APP1 if self.orientation.is_none() => self.orientation = exif::read(segment),
                0xC3..=0xCF => return Err(JpegError::Kind),
                SOS => {
                    if self.header.is_none() {
                        return Err(JpegError::Header);
                    }
                    self.scan.get_or_insert(body - 2);
                    self.in_scan = true;
                }
                _ => {}
            }
            self.at = body + 2 + segment.len();
        }
    }

    /// The picture that `input` holds and that ends there without an end of image, if all its blocks are there: its
    /// [`Layout::end`] is behind the last one. `input` begins as it did for [`Self::resume`].
    pub(in crate::wire) fn without_end(&self, input: &[u8], may_count: MayCount<'_>) -> Option<Layout> {
        let (header, scan) = self.header.zip(self.scan)?;
        if header.progressive && !self.has_tables {
            return None;
        }
        let end = end_of_blocks(input, may_count)?;
        Some(Layout { header, end, scan, has_tables: self.has_tables })
    }

    /// The marker that must stand at `self.at`, and where what follows it begins. Any number of `FF` may lead it.
    pub(super) fn marker(&mut self, input: &[u8]) -> Result<Option<(u8, usize)>, JpegError> {
        match input.get(self.at) {
            None => return Ok(None),
            Some(0xFF) => {}
            Some(_) => return Err(JpegError::Markers),
        }
        while input.get(self.at + 1) == Some(&0xFF) {
            self.at += 1;
        }
        match input.get(self.at + 1) {
            None => Ok(None),
            Some(0) => Err(JpegError::Markers),
            Some(&marker) => Ok(Some((marker, self.at + 2))),
        }
    }

    /// To the marker that ends the scan whose data begins at `from`; `None`: there is none.
    pub(super) fn pass_to_end_of_scan(&mut self, input: &[u8], from: usize) -> Option<()> {
        self.at = from;
        self.pass_scan(input).then_some(())
    }

    /// Passes over compressed data up to the marker that ends it; false when that has not come yet.
    fn pass_scan(&mut self, input: &[u8]) -> bool {
        let mut at = self.at;
        loop {
            let from = at;
            // Marker behind marker must not cost a search each.
            if input.get(at) != Some(&0xFF) {
                at = find_ff(input, at);
            }
            self.scan_bytes = self.scan_bytes.saturating_add(at - from);
            while input.get(at + 1) == Some(&0xFF) {
                at += 1;
            }
            self.at = at;
            match input.get(at + 1) {
                // FF 00 is a byte FF of the data; a restart marker divides it.
                Some(0) => {
                    self.scan_bytes = self.scan_bytes.saturating_add(1);
                    at += 2;
                }
                Some(0xD0..=0xD7) => at += 2,
                Some(_) => {
                    self.in_scan = false;
                    return true;
                }
                None => return false,
            }
        }
    }

    fn end(&self, end: usize) -> Result<Layout, JpegError> {
        let (Some(header), Some(scan)) = (self.header, self.scan) else { return Err(JpegError::Empty) };
        if self.scan_bytes == 0 {
            return Err(JpegError::Empty);
        }
        if header.progressive && !self.has_tables {
            return Err(JpegError::Tables);
        }
        Ok(Layout { header, end, scan, has_tables: self.has_tables })
    }
}

/// Where the next `FF` is, or the end. Blocks without one are passed over at a speed that the compiler makes of it.
fn find_ff(input: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(block) = input.get(at..at + 64) {
        if block.iter().fold(false, |found, &byte| found | (byte == 0xFF)) {
            break;
        }
        at += 64;
    }
    input.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == 0xFF)).map_or(input.len(), |n| at + n)
}
