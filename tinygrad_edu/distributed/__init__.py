"""Many processes, with `torch.distributed`'s names: over MPI, over NCCL between GPUs, and as one process without either.

`transport` says what a way between processes can do, `mpi` and `nccl` are the two there are; `groups` finds the
processes, `collectives`, `pairs` and `objects` are what they do together, `nn` is the part of that with gradients; `launch` starts
them and ends them together; `check` finds calls that do not fit each other.
"""

from ..ops.misuse import explain_all as _explain_all
from . import nn
from .check import DebugLevel, get_debug_level, set_debug_level, set_debug_level_from_env
from .collectives import (
    all_gather,
    all_gather_into_tensor,
    all_reduce,
    all_to_all,
    all_to_all_single,
    broadcast,
    gather,
    reduce,
    reduce_scatter,
    reduce_scatter_tensor,
    scatter,
)
from .groups import (
    Backend,
    GroupMember,
    ProcessGroup,
    default_pg_timeout,
    destroy_process_group,
    get_backend,
    get_global_rank,
    get_group_rank,
    get_node_local_rank,
    get_process_group_ranks,
    get_rank,
    get_world_size,
    group,
    init_process_group,
    is_available,
    is_gloo_available,
    is_initialized,
    is_mpi_available,
    is_nccl_available,
    is_torchelastic_launched,
    new_group,
)
from .objects import all_gather_object, broadcast_object_list, gather_object, scatter_object_list
from .pairs import P2POp, barrier, batch_isend_irecv, irecv, isend, monitored_barrier, recv, send
from .transport import ReduceOp
from .work import DistBackendError, DistError, Work

__all__ = """
Backend DebugLevel DistBackendError DistError GroupMember P2POp ProcessGroup ReduceOp Work all_gather
all_gather_into_tensor all_gather_object all_reduce all_to_all all_to_all_single barrier batch_isend_irecv broadcast
broadcast_object_list default_pg_timeout destroy_process_group gather gather_object get_backend get_debug_level
get_global_rank get_group_rank get_node_local_rank get_process_group_ranks get_rank get_world_size group
init_process_group irecv is_available is_gloo_available is_initialized is_mpi_available is_nccl_available
is_torchelastic_launched isend monitored_barrier new_group nn recv reduce reduce_scatter reduce_scatter_tensor scatter
scatter_object_list send set_debug_level set_debug_level_from_env
""".split()

_explain_all(globals())
