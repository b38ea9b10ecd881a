//! The numbers of a stream's pictures.

/// Gives the pictures of a stream numbers that only ever rise, across publishers that come and go, and keeps the gaps
/// that a publisher left.
#[derive(Debug, Default)]
pub(crate) struct Numbering {
    last: Option<u32>,
    ours: u32,
}

impl Numbering {
    /// Another publisher begins; its numbers mean nothing yet.
    pub(crate) fn new_publisher(&mut self) {
        self.last = None;
    }

    /// Our number for a picture, from its publisher's own, and how many pictures are missing before it. Several rungs
    /// of one picture share a number.
    pub(crate) fn number(&mut self, theirs: u32) -> (u32, u32) {
        // A publisher that jumps by more than this has not lost pictures, it counts otherwise.
        const FAR: u32 = 1000;
        let step = match self.last {
            None => 1,
            Some(last) => match theirs.wrapping_sub(last) {
                0 => 0,
                step if step <= FAR => step,
                _ => 1,
            },
        };
        self.last = Some(theirs);
        self.ours = self.ours.wrapping_add(step);
        (self.ours, step.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_across_publishers_and_keep_gaps() {
        let mut numbering = Numbering::default();
        let given: Vec<_> = [7, 7, 8, 11].map(|n| numbering.number(n)).into();
        assert_eq!(given, [(1, 0), (1, 0), (2, 0), (5, 2)]);
        numbering.new_publisher();
        assert_eq!(numbering.number(0), (6, 0));
        assert_eq!(numbering.number(u32::MAX), (7, 0));
        assert_eq!(numbering.number(0), (8, 0));
    }
}
