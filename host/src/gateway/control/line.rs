//! Lines of bounded length.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// The next line without its end, or what is left of one at the end of the stream; none when nothing is left.
///
/// # Errors
/// When it cannot be read, or has more than `limit` bytes ([`io::ErrorKind::FileTooLarge`]): not more than that is kept of it.
pub(super) async fn read(
    from: &mut (impl AsyncBufRead + Unpin),
    limit: usize,
) -> io::Result<Option<Vec<u8>>> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut line = Vec::new();
    if from.take(most).read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("the line is longer than {limit} bytes"),
        ));
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_read_up_to_the_limit() {
        let mut from = &b"four\n\nrest"[..];
        for expected in [Some(&b"four"[..]), Some(b""), Some(b"rest"), None] {
            let line = read(&mut from, 4).await.unwrap();
            assert_eq!(line.as_deref(), expected);
        }
        let mut from = &b"fives\n"[..];
        let error = read(&mut from, 4).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge, "{error}");
    }
}
