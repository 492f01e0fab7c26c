;; Does: casemate_call writes to its stream whatever it reads there (host methods stream.read and stream.write), and
;; answers nothing more at the end; without a stream, it answers the host's error.
;; Must: echo a stream of any length with memory for one piece, at the pace of the slower end.
(module
  (import "casemate" "host_call" (func $host_call (param i32 i32) (result i64)))
  (memory (export "memory") 4)
  (func (export "casemate_abi") (result i32) (i32.const 1))
  ;; One block at a time, at one place: an answer of the host begins where its bytes are to go on as a request.
  (func (export "casemate_alloc") (param $size i32) (param $align i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 131072)) (then (return (i32.const 0))))
    (i32.const 4096))
  (func (export "casemate_free") (param i32 i32 i32))
  (data (i32.const 1024) "\0b\00stream.read\0165536")
  (data (i32.const 2048) "\0c\00stream.write\00")
  ;; an answer: status 0, raw
  (data (i32.const 3072) "\00\00")
  (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
    (local $reply i64)
    (local $bytes i32)
    (loop $again
      (local.set $reply (call $host_call (i32.const 1024) (i32.const 19)))
      (local.set $bytes (i32.wrap_i64 (i64.shr_u (local.get $reply) (i64.const 32))))
      ;; an error, or the end: it is the answer
      (if (i32.load8_u (i32.const 4096)) (then (return (local.get $reply))))
      (if (i32.le_u (local.get $bytes) (i32.const 2)) (then (return (i64.const 0x200000c00))))
      ;; the head of the request takes the place of what is before the bytes, which begin at 4098
      (memory.copy (i32.const 4083) (i32.const 2048) (i32.const 15))
      (local.set $reply (call $host_call (i32.const 4083) (i32.add (local.get $bytes) (i32.const 13))))
      (if (i32.load8_u (i32.const 4096)) (then (return (local.get $reply))))
      (br $again))
    (unreachable)))
