select
    organization,
    id as project_id,
    sort_order,
    name as project_name,
    code,
    description,
    is_active,
    extra_fields,
    _extracted_at as extracted_at,
    _first_extracted_at as first_extracted_at,
    _deleted_at as deleted_at,
    _deleted_at is not null as is_deleted
from {{ source('raw_raise', 'projects') }}
