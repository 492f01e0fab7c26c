;; Does: grows its memory page by page until that fails, writes to each new page, and answers the number of
;; pages it has.
;; Must: the answer is exactly the memory limit in pages, all of them resident; the worker is not killed for
;; its memory.
(module
  (memory (export "memory") 1)
  (func (export "casemate_abi") (result i32) (i32.const 1))
  ;; A bump allocator: the next free address.
  (global $next (mut i32) (i32.const 4096))
  (func (export "casemate_alloc") (param $size i32) (param $align i32) (result i32)
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get $size))))
  (func (export "casemate_free") (param $block i32) (param $size i32) (param $align i32))
  ;; A reply that carries $number in JSON: digits are written from 90 down, the two bytes of the head before them.
  (func $reply_number (param $number i32) (result i64)
    (local $at i32)
    (local.set $at (i32.const 90))
    (loop $digit
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at)
        (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
      (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
      (br_if $digit (local.get $number)))
    (local.set $at (i32.sub (local.get $at) (i32.const 2)))
    (i32.store16 (local.get $at) (i32.const 0x0100))
    (i64.or
      (i64.shl (i64.extend_i32_u (i32.sub (i32.const 90) (local.get $at))) (i64.const 32))
      (i64.extend_i32_u (local.get $at))))
  (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
    (local $page i32)
    (block $full
      (loop $again
        (local.set $page (memory.grow (i32.const 1)))
        (br_if $full (i32.eq (local.get $page) (i32.const -1)))
        (i32.store (i32.shl (local.get $page) (i32.const 16)) (i32.const 0x5a5a5a5a))
        (br $again)))
    (call $reply_number (memory.size))))
