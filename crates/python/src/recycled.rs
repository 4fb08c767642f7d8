//! Memory of short-lived objects, kept for the next ones of their class. The GIL guards it, so there is no lock.
//!
//! An object is made once by `PyO3` and then lives many lives: its content goes, its memory stays.
#![expect(
    unsafe_code,
    reason = "objects are made out of memory, and left as such"
)]
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::types::PyType;
use pyo3::{PyClass, PyClassInitializer};

use crate::held::Held;

/// Blocks of memory that are kept for one class: for as many spans as a thread may have open at once.
const BLOCKS_MAX: usize = 256;

/// A class whose objects come and go with every operation.
///
/// It has no subclasses, and the garbage collector knows none of its objects: it would know their memory as well while there is
/// no object in it, and whoever lists what it knows (`gc.get_objects`, as gevent does when it patches) would end it once more.
pub(crate) trait Recycled: PyClass<Frozen = True> + Send + Sync {
    /// Where memory for objects of this class is kept.
    fn blocks() -> &'static Blocks;

    /// Called once, with how far behind the beginning of an object its content is.
    fn prepare(_class: &Bound<'_, PyType>, _offset: usize) -> PyResult<()> {
        Ok(())
    }

    /// Lets go of everything that the object holds, where it lies. Faster than dropping it: nothing has to be asked about the
    /// thread, and nothing is moved.
    ///
    /// # Safety
    ///
    /// It is called once, and nobody uses or drops the content afterwards.
    unsafe fn release(&mut self, py: Python<'_>);
}

/// Memory that objects of one class have left.
pub(crate) struct Blocks(Held<Kept>);

struct Kept {
    /// Known as soon as there was an object.
    class: Option<Class>,
    blocks: Vec<*mut ffi::PyObject>,
}

/// What is needed to make an object of a block, and to end it as `PyO3` does.
#[derive(Clone, Copy)]
struct Class {
    object: *mut ffi::PyTypeObject,
    /// How far behind the beginning of an object its content is.
    offset: usize,
    dealloc: ffi::destructor,
}

// SAFETY: nobody else knows the blocks, and classes of this module live as long as the process.
unsafe impl Send for Kept {}

impl Blocks {
    pub(crate) const fn new() -> Self {
        Self(Held::new(Kept {
            class: None,
            blocks: Vec::new(),
        }))
    }
}

/// Lets go of what a field refers to.
///
/// # Safety
///
/// Nobody uses or drops the field afterwards.
#[inline]
pub(crate) unsafe fn let_go<T>(py: Python<'_>, field: &Py<T>) {
    // SAFETY: it is moved out of a place that nobody looks at any more.
    unsafe { ptr::from_ref(field).read() }.drop_ref(py);
}

/// A new object, where one of its class has been before. Its content is made where it will lie: moving it would cost more than
/// making it.
#[expect(clippy::inline_always, reason = "else the content would be moved")]
#[inline(always)]
pub(crate) fn object<T: Recycled>(
    py: Python<'_>,
    content: impl FnOnce() -> T,
) -> PyResult<Bound<'_, T>>
where
    PyClassInitializer<T>: From<T>,
{
    let mut kept = T::blocks().0.hold(py);
    let (Some(class), Some(block)) = (kept.class, kept.blocks.pop()) else {
        drop(kept);
        return first(py, content());
    };
    drop(kept);
    // SAFETY: the block is as large as objects of this class are, its content has gone, and what else there is in it, the
    // list of weak references, is empty. Nobody knows it yet.
    unsafe {
        ffi::PyObject_Init(block, class.object);
        block.byte_add(class.offset).cast::<T>().write(content());
        Ok(Bound::from_owned_ptr(py, block).cast_into_unchecked())
    }
}

/// A new object in new memory.
#[cold]
fn first<T: Recycled>(py: Python<'_>, content: T) -> PyResult<Bound<'_, T>>
where
    PyClassInitializer<T>: From<T>,
{
    let object = Bound::new(py, content)?;
    // SAFETY: it is a new object of a class that `PyO3` made, whose objects are all known to the collector until then. It has
    // nothing to find in them but their class, as these classes do not say what they refer to.
    unsafe { ffi::PyObject_GC_UnTrack(object.as_ptr().cast()) };
    let offset = ptr::from_ref(object.get()).addr() - object.as_ptr().addr();
    if T::blocks().0.hold(py).class.is_none() {
        T::prepare(&py.get_type::<T>(), offset)?;
    }
    let mut kept = T::blocks().0.hold(py);
    if kept.class.is_none() {
        let class = T::type_object_raw(py);
        // SAFETY: the class is alive, and this is its only object; whatever ends it later does so through this field.
        unsafe {
            if let Some(dealloc) = (*class).tp_dealloc.replace(leave::<T>) {
                kept.class = Some(Class {
                    object: class,
                    offset,
                    dealloc,
                });
            }
        }
        kept.blocks.reserve(BLOCKS_MAX);
    }
    drop(kept);
    Ok(object)
}

/// The end of an object: its content goes, its memory stays for the next one, if there is room.
unsafe extern "C" fn leave<T: Recycled>(object: *mut ffi::PyObject) {
    // SAFETY: the interpreter ends objects with its thread attached. It does so for the last one who knew the object, which is of
    // this class; so it can let go of its content, after those who refer to it weakly have been told.
    unsafe {
        let py = Python::assume_attached();
        let kept = T::blocks().0.hold(py);
        let Some(class) = kept.class else { return };
        let is_full = kept.blocks.len() >= BLOCKS_MAX;
        drop(kept);
        if is_full {
            (class.dealloc)(object);
            return;
        }
        forget_weakly(object, class.object);
        (*object.byte_add(class.offset).cast::<T>()).release(py);
        let mut kept = T::blocks().0.hold(py);
        if kept.blocks.len() < BLOCKS_MAX {
            kept.blocks.push(object);
        } else if let Some(free) = (*class.object).tp_free {
            // Its content may have ended others of this class.
            drop(kept);
            free(object.cast());
        }
        ffi::Py_DECREF(class.object.cast());
    }
}

/// Clears the weak references to an object that ends.
///
/// # Safety
///
/// The object is of this class, and nobody refers to it any more.
#[inline]
unsafe fn forget_weakly(object: *mut ffi::PyObject, class: *mut ffi::PyTypeObject) {
    // SAFETY: the class says where its objects have their list of weak references, if they have one.
    unsafe {
        let offset = (*class).tp_weaklistoffset;
        if offset > 0 && !(*object.byte_offset(offset).cast::<*mut ffi::PyObject>()).is_null() {
            ffi::PyObject_ClearWeakRefs(object);
        }
    }
}
