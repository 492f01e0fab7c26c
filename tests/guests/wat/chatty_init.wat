;; Does: casemate_init logs 400 lines of 4 KiB, more than the link holds; casemate_call answers one byte.
;; Must: answer, also when the input of the first call is more than the link holds: the host reads while it sends.
(module
  (import "casemate" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 64)
  (func (export "casemate_abi") (result i32) (i32.const 1))
  ;; A bump allocator: the next free address. The first pages are for the answer and the log line.
  (global $next (mut i32) (i32.const 131072))
  (func (export "casemate_alloc") (param $size i32) (param $align i32) (result i32)
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get $size))))
  (func (export "casemate_free") (param $block i32) (param $size i32) (param $align i32))
  (func (export "casemate_init") (param $ptr i32) (param $len i32) (result i64)
    (local $left i32)
    (local.set $left (i32.const 400))
    (memory.fill (i32.const 65536) (i32.const 120) (i32.const 4096))
    (loop $again
      (call $log (i32.const 2) (i32.const 65536) (i32.const 4096))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))
    ;; status 0, content type 0, no body
    (i32.store16 (i32.const 16) (i32.const 0))
    (i64.const 0x200000010))
  (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
    (i32.store16 (i32.const 16) (i32.const 0))
    (i32.store8 (i32.const 18) (i32.const 121))
    (i64.const 0x300000010)))
