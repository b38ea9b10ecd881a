//! The buffers of a V4L2 device that is streaming: the driver fills them in turn, and each is given back when it was read.
//!
//! Source: <https://docs.kernel.org/userspace-api/media/v4l/mmap.html>.

use std::io;
use std::time::Duration;

use arrayvec::ArrayVec;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::device::Device;
use crate::system::v4l2::{self, Filled, Mapping, PLANES};

/// A device that is streaming. Dropping it stops the device.
pub(super) struct Queue {
    /// The memory of each buffer's planes, which the driver writes to.
    buffers: Vec<ArrayVec<Mapping, PLANES>>,
    device: Device,
}

impl Queue {
    /// Starts the device with about so many buffers: the driver may want more or have fewer.
    pub(super) fn start(device: Device, count: u32) -> io::Result<Self> {
        let count = v4l2::request_buffers(&device.file, device.kind, count)?;
        let mut this = Self { buffers: Vec::new(), device };
        for index in 0..count {
            this.buffers.push(v4l2::map(&this.device.file, this.device.kind, index)?);
            this.queue(index)?;
        }
        v4l2::start(&this.device.file, this.device.kind)?;
        Ok(this)
    }

    /// How many buffers there are.
    pub(super) fn len(&self) -> usize {
        self.buffers.len()
    }

    /// Whether a buffer is full, or something is wrong, which [`Self::take`] tells.
    pub(super) fn ready_within(&self, patience: Duration) -> io::Result<bool> {
        let mut polled = [PollFd::new(&self.device.file, PollFlags::IN)];
        let patience = Timespec::try_from(patience).ok();
        Ok(poll(&mut polled, patience.as_ref())? > 0)
    }

    /// The next buffer that is full; `None` if none is.
    pub(super) fn take(&mut self) -> io::Result<Option<Filled>> {
        match v4l2::dequeue(&self.device.file, self.device.kind) {
            Ok(filled) if (filled.index as usize) < self.buffers.len() => Ok(Some(filled)),
            Ok(_) => Err(io::Error::other("the driver gives a buffer that it does not have")),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The bytes of a picture, of each plane.
    pub(super) fn planes(&self, filled: &Filled) -> ArrayVec<&[u8], PLANES> {
        let memory = self.buffers.get(filled.index as usize).map(ArrayVec::as_slice).unwrap_or_default();
        let planes = memory.iter().zip(&filled.planes).map(|(memory, (begin, end))| {
            // A driver that claims more than it has is believed as far as there is memory.
            let end = (*end).min(memory.bytes().len());
            memory.bytes().get((*begin).min(end)..end).unwrap_or_default()
        });
        planes.collect()
    }

    /// Lets the driver fill a buffer again.
    pub(super) fn give_back(&mut self, filled: &Filled) -> io::Result<()> {
        self.queue(filled.index)
    }

    fn queue(&self, index: u32) -> io::Result<()> {
        let planes = self.buffers.get(index as usize).map_or(0, ArrayVec::len);
        v4l2::queue(&self.device.file, self.device.kind, index, planes)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let gone = |error: &io::Error| Errno::from_io_error(error) == Some(Errno::NODEV);
        if let Err(error) = v4l2::stop(&self.device.file, self.device.kind)
            && !gone(&error)
        {
            log::warn!("the camera cannot be stopped: {error}");
        }
    }
}
