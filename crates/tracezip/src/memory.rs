//! What memory costs that was asked of the allocator, so that a session can tell what it holds.

/// Bytes that the allocator uses before each piece.
const HEAD: usize = 8;
/// Pieces are multiples of this ...
const STEP: usize = 16;
/// ... and no smaller than this.
const SMALLEST: usize = 32;

/// Bytes that a piece of this size takes, as glibc's allocator and others like it deal them out.
pub(crate) const fn allocated(bytes: usize) -> usize {
    if bytes == 0 {
        return 0;
    }
    let piece = (bytes + HEAD).next_multiple_of(STEP);
    if piece < SMALLEST { SMALLEST } else { piece }
}

/// Bytes that a vector has asked for.
pub(crate) const fn of_vec<T>(vector: &Vec<T>) -> usize {
    allocated(vector.capacity() * size_of::<T>())
}
