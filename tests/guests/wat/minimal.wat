;; Does: the least that is a plugin. casemate_call answers the content type and the body of its request,
;; whatever the method. The status byte goes where the last byte of the method was, so the reply is the end of
;; the request.
;; Must: echo every body, call after call, also bodies of many megabytes.
(module
  (memory (export "memory") 1)
  (func (export "casemate_abi") (result i32) (i32.const 1))
  ;; There is one block at a time: the request, whose end is the reply. Freeing it frees everything.
  (global $next (mut i32) (i32.const 16))
  (func (export "casemate_alloc") (param $size i32) (param $align i32) (result i32)
    (local $end i32)
    (local $missing i32)
    (local.set $end (i32.add (global.get $next) (local.get $size)))
    ;; the size is past the end of the address space
    (if (i32.lt_u (local.get $end) (local.get $size)) (then (return (i32.const 0))))
    ;; pages up to the end, less those that are there
    (local.set $missing
      (i32.sub
        (i32.add (i32.shr_u (local.get $end) (i32.const 16)) (i32.const 1))
        (memory.size)))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then
        (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1))
          (then (return (i32.const 0))))))
    (global.get $next)
    (global.set $next (local.get $end)))
  (func (export "casemate_free") (param $block i32) (param $size i32) (param $align i32)
    (global.set $next (i32.const 16)))
  (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
    (local $method i32)
    (local $reply i32)
    (local.set $method (i32.load16_u (local.get $ptr)))
    (local.set $reply (i32.add (local.get $ptr) (i32.add (local.get $method) (i32.const 1))))
    (i32.store8 (local.get $reply) (i32.const 0))
    (i64.or
      (i64.shl
        (i64.extend_i32_u (i32.sub (local.get $len) (i32.add (local.get $method) (i32.const 1))))
        (i64.const 32))
      (i64.extend_i32_u (local.get $reply)))))
