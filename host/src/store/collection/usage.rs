//! How much a collection may hold.

/// What all documents of a collection may hold together. A listing is handed over whole, so whoever may add documents
/// could otherwise make it too large for those who read it.
pub(super) const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// Every change has the whole directory looked through.
pub(super) const MOST_DOCUMENTS: usize = 16 * 1024;

/// Why one more document is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error("the documents may hold {} MiB together; remove some first", MOST_BYTES / (1024 * 1024))]
    Bytes,
    #[error("there may be {MOST_DOCUMENTS} documents; remove some first")]
    Documents,
    /// Nobody knows how much there is yet.
    #[error("the documents have not been counted yet")]
    Unknown,
}

/// What there is, and what is about to be: room is taken before a document is written, so that many writers at once do not
/// overfill the collection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Usage {
    /// Nothing has been listed yet.
    #[default]
    Unknown,
    Known {
        documents: usize,
        bytes: u64,
    },
}

impl Usage {
    pub(super) fn of(documents: usize, bytes: u64) -> Self {
        Self::Known { documents, bytes }
    }

    /// Takes room for a document.
    pub(super) fn reserve(&mut self, length: u64) -> Result<(), Full> {
        let Self::Known { documents, bytes } = self else {
            return Err(Full::Unknown);
        };
        if *documents >= MOST_DOCUMENTS {
            return Err(Full::Documents);
        }
        let with_it = bytes
            .checked_add(length)
            .filter(|&with_it| with_it <= MOST_BYTES);
        *bytes = with_it.ok_or(Full::Bytes)?;
        *documents += 1;
        Ok(())
    }

    /// Gives back the room of a document.
    pub(super) fn release(&mut self, length: u64) {
        if let Self::Known { documents, bytes } = self {
            *documents = documents.saturating_sub(1);
            *bytes = bytes.saturating_sub(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_and_given_back_by_number_and_size() {
        let mut usage = Usage::of(MOST_DOCUMENTS - 1, 0);
        assert_eq!(usage.reserve(1), Ok(()));
        assert_eq!(usage.reserve(0), Err(Full::Documents));
        usage.release(1);
        assert_eq!(usage.reserve(MOST_BYTES + 1), Err(Full::Bytes));
        assert_eq!(usage.reserve(u64::MAX), Err(Full::Bytes));
        assert_eq!(usage.reserve(MOST_BYTES), Ok(()));
    }

    #[test]
    fn nothing_fits_before_it_is_known_what_is_there() {
        let mut usage = Usage::default();
        usage.release(1);
        assert_eq!(usage.reserve(0), Err(Full::Unknown));
    }
}
